/** What a tree of processes meets in a container: a first process that waits for no orphan, and ids that are few. */
import { assertMatch } from "@std/assert";
import { built, isRoot, run, TempDir, testUnless } from "./support.ts";
import { asUser, everyone, type Who } from "./target.ts";

/** A pid namespace whose first process is this one. */
function container(as: Who, first: string[]): string[] {
  const own = isRoot && as === "self" ? [] : ["--map-current-user"];
  const made = ["unshare", ...own, "--pid", "--fork", "--mount-proc", "--kill-child"];
  return [...asUser(as), ...made, ...first];
}

async function findObstacle(as: Who): Promise<string | false> {
  const { code } = await run(container(as, ["true"])).catch(() => ({ code: 1 }));
  return code !== 0 && "no pid namespace with a /proc of its own can be made here";
}

/** What a script within says, which begins with a program that has daemons, and may save it. */
async function runScript(script: string, first: string[], as: Who): Promise<string> {
  await using dir = await TempDir.make();
  const variables = {
    LIBCKPT: built("libckpt.so"),
    RESTART: built("restart"),
    PROGRAM: built("tests/tree_daemon"),
  };
  const words = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const { stdout, stderr } = await run(
    ["env", ...words, ...container(as, first), "bash", "-c", begin + script],
    { cwd: dir.path },
  );
  return stdout + stderr;
}

const begin = String.raw`
mkfifo in out
exec 3<> in
saved=0
begin() { cat out >> said & "$@" < in > out 2>&1 & }
until_said() { until [ "$(grep -c "$1" said)" -gt "$2" ]; do sleep 0.02; done; }
save() { kill -12 $1; saved=$((saved + 1)); until [ -e ckpt/job/00000$saved.ckpt ]; do sleep 0.02; done; }
touch said
export CKPT_DIR=ckpt CKPT_NAME=job
begin env CKPT_JOB=$$-daemons LD_PRELOAD=$LIBCKPT $PROGRAM
root=$!
until_said READY 0
save $root
`;

const withOrphans = String.raw`
orphans() { grep -l ') Z 1 ' /proc/[0-9]*/stat 2> /dev/null | wc -l; }
end() { kill -9 -1; wait; until [ $(orphans) -ge 6 ]; do sleep 0.02; done; }
end
for mode in auto namespace; do
  pongs=$(grep -c pong said)
  begin $RESTART --pid=$mode ckpt/job
  echo ping >&3
  until_said pong $pongs
  read -r root rest < ckpt/job/running
  save $root
  echo "$mode $(ls ckpt/job/00000$saved.ckpt | grep -c core)"
  end
done
$RESTART --pid=same ckpt/job
echo "same $?"
echo go >&3
$RESTART ckpt/job < in
echo "ended with $?"
`;

for (const as of everyone) {
  testUnless(
    await findObstacle(as),
    `restart as ${as} brings back a tree where nobody waits for orphans`,
    async () => {
      // It waits for its own child alone.
      const first = ["timeout", "--foreground", "--signal=KILL", "180"];
      const text = await runScript(withOrphans, first, as);
      assertMatch(text, /^auto 7$/m);
      assertMatch(text, /^namespace 7$/m);
      assertMatch(text, /^same 1$/m);
      const why =
        /PID \d+ is taken by 'tree_daemon', which has ended and which process 1 has yet to wait for/;
      assertMatch(text, why);
      assertMatch(text, /^EXIT-SUCCESS$/m);
      assertMatch(text, /^ended with 0$/m);
    },
  );
}

const withTaken = String.raw`
for core in ckpt/job/000001.ckpt/*.core; do
  pid=$(basename $core .core)
  read -r _ _ _ _ _ sid _ < /proc/$pid/stat
  [ $sid -gt 1 ] && [ ! -e ckpt/job/000001.ckpt/$sid.core ] && session=$sid
done
kill -9 -1
wait
# A shell that runs no command may never wait for a last orphan.
until set -- /proc/[0-9]*; [ $# = 1 ]; do sleep 0.02; done
echo $((session - 1)) > /proc/sys/kernel/ns_last_pid
sleep 180 &
[ $! = $session ] && echo taken
echo go >&3
$RESTART ckpt/job < in
echo "ended with $?"
`;

testUnless(
  isRoot ? await findObstacle("self") : "only root may choose an id without a namespace",
  "restart makes a namespace where the id of a session is taken whose leader had ended",
  async () => {
    const text = await runScript(withTaken, [], "self");
    assertMatch(text, /^taken$/m);
    assertMatch(text, /^EXIT-SUCCESS$/m);
    assertMatch(text, /^ended with 0$/m);
  },
);
