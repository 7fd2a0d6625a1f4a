/**
 * The programs of tests/programs.ts that turn one file into another: databases, compression, compilers.
 *
 * @module
 */
import { linesOfText } from "./programs_prepare.ts";
import type { Workload } from "./programs_workload.ts";

function cSource(functions: number): string {
  let text = "struct item { int key; double value; struct item *next; };\n";
  for (let i = 0; i < functions; i++) {
    text += `int work_${i}(struct item *list, int n, const int *a) {
  int sum = ${i};
  for (struct item *at = list; at; at = at->next)
    for (int j = 0; j < n; j++)
      switch ((a[j] * ${i + 3} + at->key) % 7) {
      case 0: sum += a[j] / (at->key | 1); break;
      case 1: at->value *= 1.0 + sum; break;
      case 2: sum ^= a[(j * ${i + 1}) % n] << 3; break;
      case 3: if (sum > ${i * 11}) return sum; break;
      default: sum -= (int)at->value % (j + 1);
      }
  return sum;
}\n`;
  }
  return text;
}

export const toolWorkloads: Workload[] = [
  {
    name: "sqlite3 in memory",
    command: "sqlite3 :memory: '.read ../input/memory.sql' > out",
    needs: { sqlite3: "sqlite3" },
    inputs: {
      "memory.sql": `WITH RECURSIVE n(i, x) AS (SELECT 1, 7 UNION ALL
  SELECT i + 1, (x * 16807) % 2147483647 FROM n WHERE i < 2500000)
SELECT x % 1009 AS k, count(*), sum(x), max(i) FROM n GROUP BY k ORDER BY k;
`,
    },
  },
  {
    name: "sqlite3 on a file",
    command: "sqlite3 data.db '.read ../input/file.sql' > out",
    needs: { sqlite3: "sqlite3" },
    inPlace: true,
    inputs: {
      "file.sql":
        "PRAGMA synchronous = OFF;\nCREATE TABLE t (k INTEGER PRIMARY KEY, x INTEGER, s TEXT);\n" +
        "CREATE INDEX tx ON t (x);\n" +
        Array.from(
          { length: 12 },
          (_, i) =>
            `INSERT INTO t (x, s) WITH RECURSIVE n(i, x) AS (SELECT 1, ${i + 7} UNION ALL
  SELECT i + 1, (x * 16807) % 2147483647 FROM n WHERE i < 40000) SELECT x, hex(x) || 'row' FROM n;
UPDATE t SET s = s || '+' WHERE x % 5 = ${i % 5};
SELECT count(*), sum(x), max(s) FROM t;\n`,
        ).join(""),
    },
  },
  {
    name: "xz",
    command: "xz -k -T1 -6 -c ../input/text > text.xz",
    needs: { xz: "xz-utils", gawk: "gawk" },
    prepare: linesOfText(170_000),
  },
  {
    name: "gzip",
    command: "gzip -9 -n -c ../input/text > text.gz",
    needs: { gzip: "gzip", gawk: "gawk" },
    prepare: linesOfText(1_000_000),
  },
  {
    name: "sort 300 MB on disk",
    command: "sort --parallel=1 -S 40M -T . -o sorted ../input/lines",
    needs: { sort: "coreutils", gawk: "gawk" },
    inPlace: true,
    prepare: `gawk 'BEGIN { x = 9; for (i = 0; i < 4700000; i++) { x = (x * 16807) % 2147483647;
      printf "%010d %08x filling words up to sixty bytes and a bit more %d\\n", x, i, x % 97 } }' > lines`,
  },
  {
    name: "openssl dgst",
    command: "openssl dgst -sha3-512 ../input/zeros > out",
    needs: { openssl: "openssl" },
    prepare: "truncate -s 450M zeros; printf tail >> zeros",
  },
  {
    name: "cc1",
    command: '"$(gcc -print-prog-name=cc1)" -quiet -O2 ../input/large.c -o large.s',
    needs: { gcc: "gcc" },
    inputs: { "large.c": cSource(240) },
  },
  {
    name: "C++ exceptions",
    command: "../input/throws > out",
    needs: { "g++": "g++" },
    inputs: {
      "throws.cc": `#include <cstdio>
#include <map>
#include <stdexcept>
#include <string>
static std::map<std::string, unsigned long> caught;
struct Guard { unsigned long &n; ~Guard() { n++; } };
static unsigned long unwound;
static void descend(unsigned depth, unsigned long x) {
  Guard guard{unwound};
  if (depth == 0) {
    if (x % 3 == 0) throw std::runtime_error("run " + std::to_string(x % 11));
    if (x % 3 == 1) throw std::out_of_range("out " + std::to_string(x % 13));
    throw x;
  }
  descend(depth - 1, x);
}
int main() {
  unsigned long x = 1;
  for (unsigned i = 0; i < 350000; i++) {
    x = x * 16807 % 2147483647;
    try { descend(x % 8, x); }
    catch (const std::exception &e) { caught[e.what()]++; }
    catch (unsigned long value) { caught["number"] += value % 7; }
    if (i % 10000 == 0) { std::printf("%u %lu %lu\\n", i, x, unwound); std::fflush(stdout); }
  }
  for (auto &[what, n] : caught) std::printf("%s %lu\\n", what.c_str(), n);
}
`,
    },
    prepare: "g++ -O1 -std=c++17 -o throws throws.cc",
  },
  {
    name: "xz with threads",
    command: "xz -k -T2 -4 --block-size=1MiB -c ../input/text > text.xz",
    needs: { xz: "xz-utils", gawk: "gawk" },
    prepare: linesOfText(350_000),
  },
  {
    name: "zstd with threads",
    command: "zstd -q -T2 -14 -c ../input/text > text.zst",
    needs: { zstd: "zstd", gawk: "gawk" },
    prepare: linesOfText(350_000),
  },
  {
    name: "pigz",
    command: "pigz -9 -n -p 2 -c ../input/text > text.gz",
    needs: { pigz: "pigz", gawk: "gawk" },
    prepare: linesOfText(1_700_000),
  },
  {
    name: "sort with threads",
    command: "sort --parallel=4 -S 600M -o sorted ../input/lines",
    needs: { sort: "coreutils", gawk: "gawk" },
    prepare: `gawk 'BEGIN { x = 9; for (i = 0; i < 1800000; i++) { x = (x * 16807) % 2147483647;
      printf "%010d %08x filling words up to sixty bytes %d\\n", x, i, x % 97 } }' > lines`,
  },
  {
    name: "pbzip2",
    command: "pbzip2 -k -9 -p2 -b4 -c ../input/text > text.bz2",
    needs: { pbzip2: "pbzip2", gawk: "gawk" },
    prepare: linesOfText(1_100_000),
  },
  {
    name: "ffmpeg with libx264",
    command:
      "ffmpeg -nostdin -v error -f lavfi -i testsrc2=size=640x360:rate=25 -t 8 -c:v libx264 -threads 4 " +
      "-preset medium -fflags +bitexact -flags:v +bitexact film.mkv",
    needs: { ffmpeg: "ffmpeg" },
    compare: "ffmpeg -nostdin -v error -i film.mkv -f framemd5 frames",
  },
  {
    name: "openssl speed",
    command: "openssl speed -elapsed -seconds 1 -bytes 8192 sha256 sha512 aes-128-cbc > out",
    needs: { openssl: "openssl" },
    // By the clock: CPU time starts anew. What is measured differs; that each row has a measurement does not.
    compare:
      "sed -Ei 's/[0-9.]+k$/N/; s/ +/ /g' out && sed -Ei 's/: [0-9]+ (.*) in [0-9.]+s$/: N \\1 in Ns/' err",
  },
  {
    name: "openssl enc",
    command:
      "openssl enc -camellia-256-cbc -K 00112233445566778899 -iv 99887766 -in ../input/zeros -out crypt",
    needs: { openssl: "openssl" },
    prepare: "truncate -s 250M zeros; printf tail >> zeros",
  },
];
