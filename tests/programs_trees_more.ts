/**
 * More programs of tests/programs.ts that start others: tools that split their work among processes, languages with workers,
 * builds.
 *
 * @module
 */
import type { Workload } from "./programs_workload.ts";

/** One shell script for three shells: pipelines, substitutions, background jobs, traps. */
const pipelines =
  `work() { x=$1; i=0; while [ $i -lt 8000 ]; do x=$(((x * 75 + 74) % 65537)); i=$((i + 1)); echo "$1 $i $x"; done; }
told=0
trap 'told=$((told + 1))' USR1
for round in 1 2 3 4 5 6; do
  work $round | sort -k3n | tee sorted-$round | tail -n 2
  work $((round + 10)) | { while read -r a b c; do [ $((c % 977)) -ne 0 ] || echo "$a $b $c"; done; } | cksum
  (work $((round + 20)) > job-$round; exit $round) & child=$!
  x=$(work $((round + 30)) | tail -n 1; echo "of round $round")
  echo "$x" | tr a-z A-Z
  wait $child
  echo "ended with $?"
  (kill -USR1 $$)
  echo "told $told times"
done
`;

/** A token that goes round, and a rod whose heat spreads; what each process sees is checked, and the sum is printed. */
const mpiSource = `#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
enum { N = 20000, STEPS = 40000 };
int main(int argc, char **argv) {
  int rank, size;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  MPI_Barrier(MPI_COMM_WORLD);
  if (rank == 0)
    puts("begun"), fflush(stdout);
  long token = 1;
  for (long turn = 0; turn < 30000; turn++) {
    if (rank == 0) {
      MPI_Send(&token, 1, MPI_LONG, 1, 5, MPI_COMM_WORLD);
      MPI_Recv(&token, 1, MPI_LONG, size - 1, 5, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    } else {
      MPI_Recv(&token, 1, MPI_LONG, rank - 1, 5, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
      token = (token * 48271 + rank) % 2147483647;
      MPI_Send(&token, 1, MPI_LONG, (rank + 1) % size, 5, MPI_COMM_WORLD);
    }
  }
  if (rank == 0)
    printf("token %ld\\n", token), fflush(stdout);
  double *now = calloc(N + 2, sizeof *now), *next = calloc(N + 2, sizeof *next);
  for (int i = 1; i <= N; i++)
    now[i] = (rank * N + i) % 101;
  int left = rank ? rank - 1 : MPI_PROC_NULL, right = rank + 1 < size ? rank + 1 : MPI_PROC_NULL;
  for (int step = 0; step < STEPS; step++) {
    MPI_Sendrecv(&now[1], 1, MPI_DOUBLE, left, 1, &now[N + 1], 1, MPI_DOUBLE, right, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    MPI_Sendrecv(&now[N], 1, MPI_DOUBLE, right, 2, &now[0], 1, MPI_DOUBLE, left, 2, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    for (int i = 1; i <= N; i++)
      next[i] = now[i] + 0.25 * (now[i - 1] - 2 * now[i] + now[i + 1]);
    double *old = now;
    now = next, next = old;
    if (step % 2000 == 0) {
      double part = 0, sum;
      for (int i = 1; i <= N; i++)
        part += now[i] * i;
      MPI_Reduce(&part, &sum, 1, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);
      if (rank == 0)
        printf("%d %.17g\\n", step, sum), fflush(stdout);
    }
  }
  MPI_Finalize();
  return 0;
}
`;

const pythonSource: Record<string, string> = {
  "executor.py": `import concurrent.futures, hashlib, struct
from multiprocessing import Lock, shared_memory
def slow(number, turns=4000):
    text = str(number).encode()
    for _ in range(turns):
        text = hashlib.sha256(text).digest()
    return text
def begin(name, own):
    global memory, lock
    memory, lock = shared_memory.SharedMemory(name), own
def fill(number):
    text = slow(number)
    with lock:
        memory.buf[32 * number:32 * number + 32] = text
        count, = struct.unpack_from("q", memory.buf, memory.size - 8)
        struct.pack_into("q", memory.buf, memory.size - 8, count + number)
    return text[0]
if __name__ == "__main__":
    memory, lock = shared_memory.SharedMemory(create=True, size=1 << 16), Lock()
    with concurrent.futures.ProcessPoolExecutor(3, initializer=begin, initargs=(memory.name, lock)) as pool:
        answers = [pool.submit(fill, number) for number in range(150)]
        for number, answer in enumerate(answers):
            print(number, answer.result(), flush=True)
        for part in pool.map(slow, range(1000, 1060), chunksize=4):
            print(part.hex(), flush=True)
    same = all(bytes(memory.buf[32 * n:32 * n + 32]) == slow(n) for n in range(150))
    print(same, struct.unpack_from("q", memory.buf, memory.size - 8), hashlib.sha256(memory.buf).hexdigest())
    memory.close()
    memory.unlink()
`,
  "served.py": `import hashlib, multiprocessing, socket, socketserver, threading
TOTAL = 60
class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        seen = 0
        for line in self.rfile:
            number, size = map(int, line.split())
            assert number == seen, (number, seen)
            seen += 1
            body = self.rfile.read(size)
            self.wfile.write(hashlib.sha256(body).digest())
        self.server.lines.append(seen)
class Server(socketserver.ThreadingTCPServer):
    lines, allow_reuse_address, daemon_threads = [], False, False
def body_of(name, number):
    return hashlib.sha512(b"%d %d" % (name, number)).digest() * (number * 97 % 3000)
def ask(files, number, name):
    reads, writes = files
    body = body_of(name, number)
    writes.write(b"%d %d\\n" % (number, len(body)))
    writes.write(body)
    writes.flush()
    return reads.read(32) == hashlib.sha256(body).digest()
def connect(port):
    connection = socket.create_connection(("127.0.0.1", port))
    return connection, (connection.makefile("rb"), connection.makefile("wb"))
def client(name, port, answers):
    kept, files = connect(port)
    here, good = kept.getsockname(), 0
    for number in range(TOTAL):
        good += ask(files, number, name)
        once, short = connect(port)
        good += ask(short, 0, name + 100)
        for part in (*short, once):
            part.close()
    answers.put((name, good, kept.getsockname() == here, kept.getpeername() == ("127.0.0.1", port)))
    for part in (*files, kept):
        part.close()
def serve(server, answers):
    server.serve_forever()
    server.server_close()
    answers.put((server.lines.count(1), server.lines.count(TOTAL)))
if __name__ == "__main__":
    server, answers = Server(("127.0.0.1", 0), Handler), multiprocessing.SimpleQueue()
    port = server.server_address[1]
    clients = [multiprocessing.Process(target=client, args=(name, port, answers)) for name in range(4)]
    for one in clients:
        one.start()
    thread = threading.Thread(target=serve, args=(server, answers))
    thread.start()
    for one in clients:
        one.join()
    server.shutdown()
    thread.join()
    print(sorted(str(answers.get()) for _ in range(5)), [one.exitcode for one in clients], len(server.lines))
`,
};

const mpi: Record<string, { compiler: string; run: string; needs: Record<string, string> }> = {
  "MPICH": {
    compiler: "mpicc.mpich",
    run: "mpirun.mpich -n 2",
    needs: { "/usr/include/x86_64-linux-gnu/mpich/mpi.h": "libmpich-dev", "mpirun.mpich": "mpich" },
  },
  "OpenMPI": {
    compiler: "mpicc.openmpi",
    run: "mpirun.openmpi --allow-run-as-root --oversubscribe -n 2",
    needs: { "mpicc.openmpi": "libopenmpi-dev", "mpirun.openmpi": "openmpi-bin" },
  },
  "OpenMPI over TCP": {
    compiler: "mpicc.openmpi",
    run: "mpirun.openmpi --allow-run-as-root --oversubscribe --mca btl tcp,self -n 2",
    needs: { "mpicc.openmpi": "libopenmpi-dev", "mpirun.openmpi": "openmpi-bin" },
  },
};

export const moreTreeWorkloads: Workload[] = [
  ...["ksh", "zsh"].map((shell): Workload => ({
    name: shell,
    command: `${shell} ../input/pipelines.sh > out`,
    needs: { ksh: "ksh93u+m", zsh: "zsh" },
    inPlace: true,
    inputs: { "pipelines.sh": pipelines },
  })),
  {
    name: "sh with timeout, flock, nohup and setsid",
    command: "dash ../input/tools.sh > out",
    needs: { dash: "dash", timeout: "coreutils", flock: "util-linux", setsid: "util-linux" },
    inPlace: true,
    inputs: {
      "tools.sh":
        `work() { x=$1 i=0; while [ $i -lt 20000 ]; do x=$(((x * 75 + 74) % 65537)) i=$((i + 1)); done; echo "$1 $x"; }
for round in 1 2 3 4 5; do
  timeout 0.2 sleep 60
  echo "sleep ended with $?"
  timeout -s INT 60 dash -c 'sleep 0.1; exit 7'
  echo "dash ended with $?"
  echo 0 > count
  for n in 1 2 3 4; do flock lock dash -c 'read -r n < count; sleep 0.03; echo $((n + 1)) > count' & done
  wait
  cat count
  nohup dash -c 'kill -HUP $$; sleep 0.1; echo "not hung up"'
  setsid -w dash -c 'sleep 0.1; exit 3'
  echo "setsid ended with $?"
  work $round | (sleep 0.1; cat)
done
`,
    },
  },
  {
    name: "find and xargs",
    command: "sh ../input/sums.sh > out",
    needs: { find: "findutils", xargs: "findutils" },
    inPlace: true,
    prepare:
      `mkdir tree && for d in $(seq 30); do mkdir tree/$d; for f in $(seq 30); do seq $d $((d * f)) > tree/$d/$f; done; done`,
    inputs: {
      "sums.sh":
        `find ../input/tree -type f -print0 | xargs -0 -n3 -P3 sh -c 'for f; do sha256sum "$f" > "sum-$(echo $f | tr / -)"; done' -
find ../input/tree -name '1*' -type f -exec cksum {} \\; | sort
cat sum-* | sort | sha256sum
rm sum-*
`,
    },
  },
  {
    name: "tar and xz",
    command: "sh -c 'tar -C ../input -cf - tree | xz -1 | xz -d | tar -xf - && ls -R tree > out'",
    needs: { tar: "tar", xz: "xz-utils" },
    inPlace: true,
    prepare:
      `mkdir tree && for f in $(seq 90); do seq $f 300000 | md5sum > tree/sum-$f; seq $f 90000 > tree/file-$f; done`,
  },
  {
    name: "git clone",
    command: "sh -c 'git clone -q --no-local ../input/from clone && " +
      'git clone -q --bare "file://$(realpath ../input/from)" bare && git -C clone log > out && git -C bare fsck --full 2>&1\'',
    needs: { git: "git" },
    inPlace: true,
    prepare:
      `git init -q from && cd from && git config user.email a@example.com && git config user.name A &&
export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z'
for i in $(seq 40); do for f in $(seq 12); do seq $i $((i * f * 130)) > file-$f; done; git add -A; git commit -q -m "number $i"; done`,
    // The index holds times and inodes, a pack may be cut differently by two threads.
    compare:
      "git -C clone rev-list --objects --all | sort > objects && git -C bare rev-list --objects --all | sort > objects-bare && " +
      "git -C clone status --porcelain > status && rm -rf clone/.git bare",
  },
  {
    name: "make -j2 of a C library",
    command:
      "sh -c 'cp -r ../input/uClibc* source && cd source && exec make -s -j2 ARCH=x86_64 $(cat ../../input/objects)'",
    needs: { gcc: "gcc", make: "make", "/usr/src/uClibc-ng-1.0.35.tar.xz": "uclibc-source" },
    inPlace: true,
    // It looks for the kernel's headers in one directory.
    prepare: `tar -xf /usr/src/uClibc-ng-1.0.35.tar.xz && mkdir headers &&
cp -rs /usr/include/linux /usr/include/asm-generic /usr/include/x86_64-linux-gnu/asm headers/ &&
cd uClibc* && make -s ARCH=x86_64 defconfig && sed -i 's|^KERNEL_HEADERS=.*|KERNEL_HEADERS="'$PWD'/../headers"|' .config &&
make -s -j2 ARCH=x86_64 pregen && ls libm/e_*.c | head -n 20 | sed 's/c$/os/' > ../objects`,
    compare: "mkdir objects && cp --parents -t objects $(find source -name '*.os') && rm -r source",
  },
  {
    name: "rsync",
    command:
      "sh -c 'rsync -a ../input/tree/ copy/ && cp -r copy again && rsync -rc --delete --no-whole-file ../input/other/ again/ > out'",
    needs: { rsync: "rsync" },
    inPlace: true,
    prepare:
      `mkdir tree other && for f in $(seq 90); do seq $f 120000 > tree/$f; { seq $f 60000; echo $f; seq 60001 120000; } > other/$((f + 5)); done`,
  },
  {
    name: "PostgreSQL under pgbench",
    command: "sh ../input/bench.sh > out",
    needs: { "/usr/lib/postgresql/15/bin/postgres": "postgresql-15" },
    ordinaryOnly: "it refuses to run as root",
    inPlace: true,
    inputs: {
      "bench.sh": `PATH=/usr/lib/postgresql/15/bin:$PATH PGHOST=$PWD PGDATABASE=postgres
export PATH PGHOST PGDATABASE
initdb -D data --no-sync --locale=C > log
postgres -D data -k "$PWD" -c listen_addresses= > log 2>&1 & server=$!
until pg_isready -q; do sleep 0.05; done
pgbench -q -i > log 2>&1
pgbench -n -c 4 -j 2 -t 700 --random-seed=7 > log 2>&1
echo "pgbench ended with $?"
psql -At << END
select count(*), sum(delta) from pgbench_history;
select sum(abalance) from pgbench_accounts;
select sum(tbalance) from pgbench_tellers;
select sum(bbalance) from pgbench_branches;
select count(*) from pgbench_accounts a join (select aid, sum(delta) from pgbench_history group by aid) h using (aid)
  where abalance <> h.sum;
create extension amcheck;
select bt_index_check('pgbench_accounts_pkey', true);
END
kill -INT $server
wait $server
echo "the server ended with $?"
`,
    },
    compare: "rm -r data log",
  },
  {
    name: "MariaDB",
    command: "sh ../input/bank.sh > out",
    needs: { mariadbd: "mariadb-server", "mariadb-install-db": "mariadb-server" },
    inPlace: true,
    prepare:
      "mariadb-install-db --no-defaults --datadir=$PWD/data --auth-root-authentication-method=normal > log",
    inputs: {
      "bank.sh": `cp -r ../input/data data
[ $(id -u) != 0 ] || user=--user=root
# Its asynchronous I/O is by io_uring.
mariadbd --no-defaults $user --datadir=$PWD/data --socket=$PWD/socket --skip-networking --innodb-use-native-aio=0 2> log & server=$!
ask() { mariadb --no-defaults -u root --socket=$PWD/socket -N test "$@"; }
until ask -e "do 0" 2> log; do sleep 0.05; done
ask < ../input/bank.sql
for n in 1 2 3 4; do ask -e "call work($n)" & clients="$clients $!"; done
for client in $clients; do wait $client || echo "a client ended with $?"; done
ask -e "select count(*), sum(change_) from history; select sum(balance) from accounts; check table accounts, history;
  select count(*) from accounts a join (select id, sum(change_) as sum from history group by id) h using (id) where balance <> h.sum"
kill $server
wait $server
echo "the server ended with $?"
`,
      "bank.sql": `create table accounts (id int primary key, balance int) engine=innodb;
create table history (n int auto_increment primary key, id int, change_ int) engine=innodb;
insert into accounts select seq, 0 from seq_1_to_5000;
delimiter //
create procedure work(client int)
begin
  declare n int default 0;
  while n < 1500 do
    set n = n + 1;
    start transaction;
    update accounts set balance = balance + n * client where id = 1 + (n * 7919 + client * 104729) % 5000;
    insert into history (id, change_) values (1 + (n * 7919 + client * 104729) % 5000, n * client);
    commit;
  end while;
end //
`,
    },
    compare: "rm -r data log",
  },
  ...[
    ["python3 with an executor and shared memory", "executor.py"],
    ["python3 with a server and its clients", "served.py"],
  ].map(([name, file]): Workload => ({
    name: name!,
    command: `/usr/bin/python3 ../input/${file} > out`,
    needs: { "/usr/bin/python3": "python3" },
    inPlace: true,
    inputs: { [file!]: pythonSource[file!]! },
  })),
  ...Object.entries(mpi).map(([name, { compiler, run, needs }]): Workload => ({
    name,
    command: `${run} ../input/heat > out`,
    needs,
    inPlace: true,
    inputs: { "heat.c": mpiSource },
    prepare: `${compiler} -O2 heat.c -o heat`,
    settles:
      "within MPI_Init the processes tell each other in which namespaces they are, and ids of System V segments",
  })),
];
