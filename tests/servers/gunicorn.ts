/**
 * gunicorn with workers of several threads. Each entry is a line of a client's file, under a lock. A worker says that it lives by
 * changing the mode of a file without a name, which may then not be opened again.
 *
 * @module
 */
import type { Server } from "../programs_servers.ts";
import { connectHttp } from "./http.ts";

const WORKERS = 3;

export const gunicorn: Server = {
  name: "gunicorn with workers",
  command: `sh -c 'cp ../input/app.py . && mkdir entries &&
    exec gunicorn -w ${WORKERS} -k gthread --threads 4 --keep-alive 60 -b 127.0.0.1:$PORT app:app'`,
  needs: { gunicorn: "gunicorn" },
  inputs: {
    "app.py": `import fcntl

def answer(env):
    client, *what = env["PATH_INFO"].split("/")[1:]
    with open("entries/" + client, "a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        text = file.read()
        count = text.count(b"\\n")
        if env["REQUEST_METHOD"] == "GET":
            return "200 OK", text if what else b"%d" % count
        if int(what[0]) != count + 1:
            return "409 Conflict", b""
        file.write(env["wsgi.input"].read() + b"\\n")
        return "200 OK", b"%d" % (count + 1)

def app(env, start):
    status, text = answer(env)
    start(status, [("Content-Length", str(len(text)))])
    return [text]
`,
  },
  processes: 1 + WORKERS,
  // Its files are opened for each request.
  inPlace: true,
  connect: connectHttp,
};
