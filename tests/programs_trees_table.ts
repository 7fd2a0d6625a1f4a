/**
 * More programs of tests/programs.ts: those that start others, and are saved with all of them.
 *
 * @module
 */
import { resolve } from "@std/path";
import type { Workload } from "./programs_workload.ts";

const project = resolve(import.meta.dirname!, "..");

export const treeWorkloads: Workload[] = [
  {
    name: "bash with children",
    command: "bash --norc ../input/children.sh > out",
    needs: { bash: "bash" },
    inPlace: true,
    inputs: {
      "children.sh": `coproc reverse { while read -r line; do echo "$line" | rev; done; }
reverser=$reverse_PID
work() { local x=$1 i; for ((i = 0; i < 9000; i++)); do x=$(((x * 75 + 74) % 65537)); echo "$1 $i $x"; done; }
for round in 1 2 3 4 5; do
  work $round | sort -k3n | tee sorted-$round | tail -n 3
  (cd / && work $((round + 10)) | cksum)
  for job in 1 2 3; do
    (work $((round * 10 + job)) > job-$round-$job; exit $job) & pids[job]=$!
  done
  cat <<END | tr a-z A-Z
round $round of $(work 3 | tail -n 1)
$(work $((round + 4)) | head -n 2000)
END
  for job in 3 1 2; do wait \${pids[job]}; echo "job $job ended with $?"; done
  echo "round $round" >&"\${reverse[1]}"
  read -r line <&"\${reverse[0]}"
  echo "$line $(paste <(work 1 | head -n 100) <(work 2 | head -n 100) | cksum)"
done
exec {reverse[1]}>&-
wait "$reverser"
`,
    },
  },
  {
    name: "dash with traps",
    command: "dash ../input/traps.sh > out",
    needs: { dash: "dash" },
    inPlace: true,
    inputs: {
      "traps.sh": `usr1=0
trap 'usr1=$((usr1 + 1))' USR1
trap 'echo "the end after $usr1 signals"' EXIT
work() { x=$1 i=0; while [ $i -lt 15000 ]; do x=$(((x * 75 + 74) % 65537)) i=$((i + 1)); done; echo "$1 $x"; }
for round in 1 2 3 4 5 6 7 8 9 10; do
  (trap 'echo "told to end in round $round"; exit 3' TERM; : > ready-$round; while :; do work 1 > scratch; done) &
  child=$!
  work $round | { read -r a b; echo "$b $a"; }
  while [ ! -e ready-$round ]; do work 2 > /dev/null; done
  (kill -USR1 $$; kill -TERM $child; work 5)
  wait $child
  status=$?
  while [ $status -gt 128 ]; do wait $child; status=$?; done
  echo "$status $usr1"
  rm ready-$round scratch
done
`,
    },
  },
  {
    name: "make -j2",
    command: "sh -c 'cp -r ../input/native ../input/Makefile . && " +
      "exec make -s -j2 OPTIMIZE=-O2 V=1 build/restart build/libckpt.so'",
    needs: { gcc: "gcc", make: "make" },
    inPlace: true,
    prepare: `cp -r ${project}/native ${project}/Makefile . && sed -i /^include/d Makefile`,
  },
  {
    name: "xargs -P2",
    command: "sh ../input/xargs.sh > out",
    needs: { xargs: "findutils", gawk: "gawk" },
    inputs: {
      "xargs.sh": `seq 60 | xargs -P2 -I{} gawk -v x={} \\
  'BEGIN { for (i = 0; i < 600000; i++) { x = (x * 16807) % 2147483647; s[x % 101]++ }
    for (k = 0; k < 101; k++) print k, s[k] > "part-{}" }'
cat part-* | cksum
`,
    },
  },
  {
    name: "GNU parallel",
    command: "parallel --will-cite --no-notice -j2 -k gawk -v x={} -f ../input/part.awk ::: " +
      Array.from({ length: 40 }, (_, i) => i + 1).join(" ") + " > out",
    needs: { parallel: "parallel", gawk: "gawk" },
    inPlace: true,
    inputs: {
      "part.awk":
        `BEGIN { for (i = 0; i < 600000; i++) { x = (x * 16807) % 2147483647; s[x % 101]++ }
  for (k = 0; k < 101; k++) print x, k, s[k] }
`,
    },
  },
  {
    name: "perl with forks",
    command: "perl ../input/forks.pl > out",
    needs: { perl: "perl" },
    inputs: {
      "forks.pl": `use strict; use IO::Handle; use POSIX ":sys_wait_h"; use Socket;
STDOUT->autoflush(1);
for my $round (1 .. 8) {
  my (%name, @from);
  for my $n (1 .. 4) {
    socketpair(my $here, my $there, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die;
    my $pid = fork // die;
    if (!$pid) {
      close $here;
      my $x = $round * 10 + $n;
      for (1 .. 400000) {
        $x = ($x * 16807) % 2147483647;
        syswrite $there, "$n $_ $x\\n" if $_ % 1000 == 0;
      }
      exit $n;
    }
    close $there;
    $name{$pid} = $n;
    push @from, $here;
  }
  for my $from (@from) {
    my ($count, $last) = 0;
    while (<$from>) { $count++; $last = $_ }
    print "$round: $count $last";
  }
  my %status;
  while ((my $pid = wait) > 0) { $status{$name{$pid}} = $? >> 8 }
  print join(" ", map { "$_=$status{$_}" } sort keys %status), "\\n";
  print scalar qx(echo "$round" | cksum);
}
`,
    },
  },
  {
    name: "python3 with processes",
    command: "/usr/bin/python3 ../input/processes.py > out",
    needs: { "/usr/bin/python3": "python3" },
    inPlace: true,
    inputs: {
      "processes.py": `import hashlib, multiprocessing, os, subprocess, sys
def slow(number):
    text = str(number).encode()
    for _ in range(60000):
        text = hashlib.sha256(text).digest()
    return text.hex()
def produce(number, queue, total, seen):
    for i in range(20):
        queue.put((number, i, slow(number * 100 + i)))
        with total.get_lock():
            total.value += i
    seen[number] = os.getppid() == multiprocessing.parent_process().pid
    queue.put((number, None, None))
def main():
    with multiprocessing.Pool(2) as pool:
        for text in pool.imap(slow, range(40), chunksize=3):
            print(text, flush=True)
    with multiprocessing.Manager() as manager:
        seen, queue, total = manager.dict(), multiprocessing.Queue(3), multiprocessing.Value("i", 0)
        producers = [multiprocessing.Process(target=produce, args=(n, queue, total, seen)) for n in range(3)]
        for producer in producers:
            producer.start()
        answers, running = {}, len(producers)
        while running:
            number, i, text = queue.get()
            if i is None:
                running -= 1
            else:
                answers[number, i] = text
        for producer in producers:
            producer.join()
        print(sorted(answers.items()), sorted(seen.items()), total.value, flush=True)
    for i in range(10):
        code = "import hashlib,sys; [hashlib.sha256(b'x' * 1000).digest() for _ in range(60000)]; " \\
            "print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())"
        done = subprocess.run([sys.executable, "-c", code], input=b"%d" % i * 100000, capture_output=True, check=True)
        print(i, done.stdout, done.stderr, flush=True)
if __name__ == "__main__":
    main()
`,
    },
  },
  {
    name: "gcc",
    command: "gcc -O2 ../input/a.c ../input/b.c -o program",
    needs: { gcc: "gcc" },
    inPlace: true,
    prepare: `for name in a b; do
  { for i in $(seq 220); do
      echo "int \${name}_$i(int *a, int n) { int s = $i;
        for (int j = 0; j < n; j++) switch ((a[j] * $((i + 3))) % 7) {
          case 0: s += a[j]; break; case 1: s ^= a[(j * $i) % n] << 3; break; case 2: a[j] -= s / (j + $i); break;
          default: s -= a[j] % (j + 1); }
        return s; }"
    done; } > $name.c
done
echo 'int a_7(int *, int); int main(void) { int a[9] = { 1 }; return a_7(a, 9) & 1; }' >> b.c`,
  },
];
