/**
 * More programs of tests/programs.ts that start others: tools that split their work among processes, languages with workers,
 * builds.
 *
 * @module
 */
import type { Workload } from "./programs_table.ts";

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
    name: "rsync",
    command:
      "sh -c 'rsync -a ../input/tree/ copy/ && cp -r copy again && rsync -rc --delete --no-whole-file ../input/other/ again/ > out'",
    needs: { rsync: "rsync" },
    inPlace: true,
    prepare:
      `mkdir tree other && for f in $(seq 90); do seq $f 120000 > tree/$f; { seq $f 60000; echo $f; seq 60001 120000; } > other/$((f + 5)); done`,
  },
];
