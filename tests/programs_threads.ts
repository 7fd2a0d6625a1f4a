/**
 * The programs of tests/programs.ts that compute with several threads.
 *
 * @module
 */
import type { Workload } from "./programs_workload.ts";

const cProgram = `#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
enum { THREADS = 4, ROUNDS = 60, CELLS = 4096 };
static pthread_barrier_t barrier;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
static unsigned turn;
static unsigned long total[THREADS];
static __thread unsigned long state;
static void *work(void *argument) {
  unsigned self = (unsigned)(size_t)argument;
  state = self + 1;
  for (unsigned round = 0; round < ROUNDS; round++) {
    unsigned long *cells = malloc(CELLS * sizeof *cells);
    for (unsigned i = 0; i < 2500000; i++) {
      state = state * 16807 % 2147483647;
      cells[i % CELLS] = i < CELLS ? state : cells[i % CELLS] ^ state;
    }
    for (unsigned i = 0; i < CELLS; i++)
      total[self] = total[self] * 31 + cells[i];
    free(cells);
    pthread_mutex_lock(&mutex);
    while (turn % THREADS != self)
      pthread_cond_wait(&condition, &mutex);
    printf("%u %u %lu\\n", round, self, total[self]);
    fflush(stdout);
    turn++;
    pthread_cond_broadcast(&condition);
    pthread_mutex_unlock(&mutex);
    pthread_barrier_wait(&barrier);
  }
  return (void *)state;
}
int main(void) {
  pthread_t threads[THREADS];
  pthread_barrier_init(&barrier, NULL, THREADS);
  for (size_t i = 0; i < THREADS; i++)
    if (pthread_create(&threads[i], NULL, work, (void *)i))
      return 1;
  for (unsigned i = 0; i < THREADS; i++) {
    void *result;
    pthread_join(threads[i], &result);
    printf("%u %lu\\n", i, (unsigned long)result);
  }
}
`;

export const threadedWorkloads: Workload[] = [
  {
    name: "python3 with threads",
    command: "/usr/bin/python3 ../input/threads.py > out",
    needs: { "/usr/bin/python3": "python3" },
    inputs: {
      "threads.py": `import hashlib, queue, threading
tasks, answers, lock, sums = queue.Queue(8), {}, threading.Condition(), threading.local()
def work():
    sums.text = b""
    while (i := tasks.get()) is not None:
        sums.text = hashlib.sha512(b"%d" % i * 250000).digest()
        for _ in range(2000):
            sums.text = hashlib.md5(sums.text).digest()
        with lock:
            answers[i] = sums.text.hex()
            lock.notify_all()
threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
def feed():
    for i in range(900):
        tasks.put(i)
    for _ in threads:
        tasks.put(None)
feeder = threading.Thread(target=feed)
feeder.start()
for i in range(900):
    with lock:
        while i not in answers:
            lock.wait(5)
        print(i, answers.pop(i), flush=True)
for thread in threads + [feeder]:
    thread.join()
`,
    },
  },
  {
    name: "numpy on OpenBLAS",
    command: "env OPENBLAS_NUM_THREADS=2 /usr/bin/python3 ../input/matrix.py > out",
    needs: {
      "/usr/lib/python3/dist-packages/numpy": "python3-numpy",
      "/usr/lib/x86_64-linux-gnu/openblas-pthread": "libopenblas0-pthread",
    },
    inputs: {
      // Whole numbers below 2^53: the sums are exact in any order.
      "matrix.py": `import hashlib, numpy
a = numpy.random.default_rng(7).integers(0, 1000, (1000, 1000)).astype(float)
b = a.T.copy()
for i in range(30):
    a = (a @ b + i) % 1009
    b = numpy.sort(b, axis=i % 2)[::-1].copy()
    print(i, a.sum(), hashlib.sha256(a.tobytes() + b.tobytes()).hexdigest(), flush=True)
`,
    },
  },
  {
    name: "ruby with threads",
    command: "ruby --disable-gems ../input/threads.rb > out",
    needs: { ruby: "ruby" },
    inputs: {
      "threads.rb": `$stdout.sync = true
questions, answers = SizedQueue.new(4), Array.new(4) { Queue.new }
lock, done = Mutex.new, 0
workers = answers.map do |mine|
  Thread.new do
    x = 11
    while (i = questions.pop)
      y = i + 1
      12_000.times { y = y * 16807 % 2147483647; x = (x ^ y).to_s.reverse.to_i % 1_000_003 if y % 64 == 0 }
      mine << [i, y]
      lock.synchronize { done += 1 }
      sleep 0.001
    end
  end
end
feeder = Thread.new { 2400.times { |i| questions << i }; 4.times { questions << nil } }
[feeder, *workers].each(&:join)
all = answers.flat_map { |mine| Array.new(mine.size) { mine.pop } }
puts done
all.sort.each { |i, y| puts "#{i} #{y}" }
`,
    },
  },
  {
    name: "R",
    command: "R --vanilla --no-echo -f ../input/model.R > out",
    needs: { R: "r-base-core" },
    inputs: {
      "model.R": `set.seed(5)
seen <- list()
for (i in 1:60) {
  n <- 30000
  d <- data.frame(g = sample(letters, n, TRUE), x = runif(n), y = rnorm(n))
  fit <- lm(y ~ x + g, d)
  seen[[i]] <- tapply(d$y, d$g, median)
  cat(i, sprintf("%.17g", c(coef(fit)[1:3], sort(d$x)[n %/% 3], seen[[i %/% 2 + 1]][["q"]])), "\\n")
}
print(do.call(rbind, seen)[c(1, 30, 60), 1:6], digits = 15)
`,
    },
  },
  {
    name: "octave",
    command: "octave-cli --norc --no-history --quiet ../input/matrix.m > out",
    needs: { "octave-cli": "octave" },
    inputs: {
      "matrix.m": `a = mod(reshape(1:490000, 700, 700) * 16807, 1009); s = struct();
for i = 1:36
  a = mod(a * a' + i, 1009);
  key = sprintf("k%d", mod(i, 7));
  s.(key) = sort(a(:, i));
  c = cellfun(@(x) numel(strsplit(x, " ")), {"a b", "c d e", num2str(i)});
  for j = 1:20000, c(1) = mod(c(1) * 31 + j, 65537); end
  printf("%d %d %s %d\\n", i, sum(a(:)), mat2str(s.(key)(1:5)'), c(1)); fflush(stdout);
end
`,
    },
  },
  {
    name: "musl with threads",
    command: "../input/threads > out",
    needs: { "musl-gcc": "musl-tools" },
    inputs: { "threads.c": cProgram },
    prepare: "musl-gcc -O2 -pthread -o threads threads.c",
  },
  {
    name: "glibc with threads",
    command: "../input/threads > out",
    needs: { gcc: "gcc" },
    inputs: { "threads.c": cProgram },
    prepare: "gcc -O2 -pthread -o threads threads.c",
  },
  {
    name: "OpenMP",
    command: "env OMP_NUM_THREADS=3 ../input/heat > out",
    needs: { gcc: "gcc" },
    prepare: "gcc -O2 -fopenmp -o heat heat.c",
    inputs: {
      "heat.c": `#include <stdio.h>
#include <string.h>
enum { SIZE = 700 };
static double grid[SIZE][SIZE], next[SIZE][SIZE];
int main(void) {
  for (int i = 0; i < SIZE; i++)
    grid[i][0] = grid[0][i] = i % 17;
  memcpy(next, grid, sizeof grid);
  for (int step = 0; step < 5000; step++) {
    unsigned long hot = 0;
#pragma omp parallel for schedule(dynamic, 16) reduction(+ : hot)
    for (int y = 1; y < SIZE - 1; y++)
      for (int x = 1; x < SIZE - 1; x++) {
        next[y][x] = (grid[y - 1][x] + grid[y + 1][x] + grid[y][x - 1] + grid[y][x + 1]) / 4;
        hot += next[y][x] > 1;
      }
#pragma omp parallel for schedule(static)
    for (int y = 1; y < SIZE - 1; y++)
      memcpy(grid[y], next[y], sizeof grid[y]);
    if (step % 100 == 0) {
      printf("%d %lu %.17g\\n", step, hot, grid[SIZE / 99][SIZE / 80]);
      fflush(stdout);
    }
  }
}
`,
    },
  },
  {
    name: "TBB",
    command: "../input/tasks > out",
    needs: { "g++": "g++", "/usr/include/tbb/parallel_sort.h": "libtbb-dev" },
    prepare: "g++ -O2 -std=c++17 -o tasks tasks.cc -ltbb",
    inputs: {
      "tasks.cc": `#include <cstdio>
#include <tbb/blocked_range.h>
#include <tbb/concurrent_hash_map.h>
#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/parallel_reduce.h>
#include <tbb/parallel_sort.h>
#include <vector>
using Range = tbb::blocked_range<size_t>;
int main() {
  tbb::global_control threads(tbb::global_control::max_allowed_parallelism, 4);
  std::vector<unsigned long> data(1 << 20);
  for (unsigned round = 0; round < 40; round++) {
    tbb::parallel_for(Range(0, data.size()), [&](const Range &range) {
      for (size_t i = range.begin(); i != range.end(); i++)
        for (unsigned k = 0; k < 8; k++)
          data[i] = (data[i] + i + round) * 6364136223846793005 + 1442695040888963407;
    });
    tbb::concurrent_hash_map<unsigned, unsigned long> seen;
    tbb::parallel_for(Range(0, data.size(), 4096), [&](const Range &range) {
      for (size_t i = range.begin(); i < range.end(); i += 16) {
        tbb::concurrent_hash_map<unsigned, unsigned long>::accessor entry;
        seen.insert(entry, data[i] >> 54);
        entry->second += data[i];
      }
    });
    tbb::parallel_sort(data.begin(), data.end());
    unsigned long sum = tbb::parallel_reduce(Range(0, data.size()), 0ul,
      [&](const Range &range, unsigned long part) {
        for (size_t i = range.begin(); i != range.end(); i++) part += data[i] ^ i;
        return part;
      }, [](unsigned long a, unsigned long b) { return a + b; });
    unsigned long mixed = 0;
    for (auto &[key, value] : seen) mixed += key * value;
    std::printf("%u %lu %lu %zu\\n", round, sum, mixed, seen.size());
    std::fflush(stdout);
  }
}
`,
    },
  },
  {
    name: "java under load",
    // A small heap and four threads that allocate: the collector and the compilers run all the time.
    command: "java -Xmx96m -cp ../input Churn > out",
    needs: { javac: "default-jdk-headless" },
    prepare: "javac Churn.java",
    inputs: {
      "Churn.java": `import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.atomic.AtomicLong;

public class Churn {
  static String describe(long x) {
    return switch ((int) (x % 4)) {
      case 0 -> "even " + x;
      case 1 -> new StringBuilder().append(x).reverse().toString();
      case 2 -> Long.toHexString(x).toUpperCase();
      default -> String.format("%08d", x % 100000000);
    };
  }

  public static void main(String[] args) throws Exception {
    AtomicLong all = new AtomicLong();
    CyclicBarrier barrier = new CyclicBarrier(4, () -> System.out.println(all.get()));
    Thread[] threads = new Thread[4];
    for (int t = 0; t < 4; t++) {
      final int self = t;
      threads[t] = new Thread(() -> {
        Map<Long, String> kept = new HashMap<>();
        long x = self + 1;
        try {
          for (int round = 0; round < 30; round++) {
            for (int i = 0; i < 30000; i++) {
              x = x * 16807 % 2147483647;
              kept.put(x % 5003, describe(x));
            }
            long sum = 0;
            for (Map.Entry<Long, String> entry : kept.entrySet())
              sum += entry.getKey() * entry.getValue().hashCode();
            all.addAndGet(sum);
            barrier.await();
          }
        } catch (Exception error) {
          throw new RuntimeException(error);
        }
      });
      threads[t].start();
    }
    for (Thread thread : threads) thread.join();
  }
}
`,
    },
  },
];
