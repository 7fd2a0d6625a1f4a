/**
 * The programs of tests/programs.ts that are interpreters, with one thread.
 *
 * @module
 */
import type { Workload } from "./programs_workload.ts";

export const interpreterWorkloads: Workload[] = [
  {
    name: "python3",
    command: "/usr/bin/python3 ../input/grow.py > out",
    needs: { "/usr/bin/python3": "python3" },
    inputs: {
      "grow.py": `import hashlib
data, digest = {}, hashlib.sha256()
with open("written", "w") as written:
    for i in range(700000):
        digest.update(str(i * i).encode())
        data["key%d" % i] = [i, digest.hexdigest()]
        if i % 10000 == 0:
            print(i, digest.hexdigest(), len(data), flush=True)
            written.write("%d %s\\n" % (i, data["key%d" % (i // 2)][1]))
print(digest.hexdigest(), sum(value[0] for value in data.values()))
`,
    },
  },
  {
    name: "perl",
    command: "perl ../input/words.pl > out",
    needs: { perl: "perl" },
    inputs: {
      "words.pl": `my (%seen, $x, $text); $x = 42; $| = 1;
for my $i (1 .. 3000000) {
  $x = ($x * 1103515245 + 12345) % 2147483648;
  my $word = "w" . ($x % 50021);
  $seen{$word}++;
  $text .= reverse $word if $i % 100 == 0;
  print "$i $word $seen{$word}\\n" if $i % 60000 == 0;
}
print join(",", map { "$_=$seen{$_}" } sort keys %seen), "\\n", length $text, "\\n";
`,
    },
  },
  ...["gawk", "mawk"].map((awk) => ({
    name: awk,
    command: `${awk} -f ../input/count.awk > out`,
    needs: { [awk]: awk },
    inputs: {
      "count.awk": `BEGIN {
  x = 7
  for (i = 1; i <= ${awk === "gawk" ? 3500000 : 7000000}; i++) {
    x = (x * 16807) % 2147483647
    count[x % 30011]++
    if (i % 50000 == 0) { print i, x, count[x % 30011]; fflush() }
  }
  for (k = 0; k < 30011; k++) print k, count[k]
}
`,
    },
  })),
  {
    name: "bash",
    command: "bash --norc ../input/loop.sh > out",
    needs: { bash: "bash" },
    inputs: {
      "loop.sh": `declare -A seen; list=(); x=1
for ((i = 0; i < 140000; i++)); do
  x=$(( (x * 75 + 74) % 65537 ))
  seen[k$((x % 997))]=$x
  list+=("$x")
  [[ $x == *77* ]] && printf '%d %s\\n' "$i" "\${list[i / 2]}"
done
for ((k = 0; k < 997; k++)); do echo "$k=\${seen[k$k]}"; done
`,
    },
  },
  {
    name: "bc",
    command: "bc -lq ../input/pi.bc > out",
    needs: { bc: "bc" },
    inputs: { "pi.bc": "scale=2000\n4*a(1)\nscale=1100\nfor (i=1; i<5; i++) e(i)\nquit\n" },
  },
  {
    name: "lua5.4",
    command: "lua5.4 ../input/sieve.lua > out",
    needs: { "lua5.4": "lua5.4" },
    inputs: {
      "sieve.lua": `local t, x = {}, 3
for i = 1, 6000000 do
  x = (x * 16807) % 2147483647
  t[x % 70001] = (t[x % 70001] or "") == "" and tostring(x) or ""
  if i % 100000 == 0 then print(i, x, collectgarbage("count") > 0); io.flush() end
end
for k = 0, 70000 do io.write(k, "=", t[k] or "-", "\\n") end
`,
    },
  },
  {
    name: "ruby",
    command: "ruby --disable-gems ../input/objects.rb > out",
    needs: { ruby: "ruby" },
    inputs: {
      "objects.rb": `$stdout.sync = true
seen, x = Hash.new { |hash, key| hash[key] = [] }, 11
1.upto(2_200_000) do |i|
  x = x * 16807 % 2147483647
  list = seen[(x % 5003).to_s]
  list << x.to_s
  list.shift if list.size > 20
  puts "#{i} #{x} #{list.first}" if i % 50_000 == 0
end
seen.keys.sort.each { |key| puts "#{key} #{seen[key].join(' ')}" }
`,
    },
  },
  {
    name: "php",
    command: "php -n ../input/arrays.php > out",
    needs: { php: "php-cli" },
    inputs: {
      "arrays.php": `<?php
$seen = []; $x = 13;
for ($i = 1; $i <= 15000000; $i++) {
  $x = $x * 16807 % 2147483647;
  $k = 'k' . $x % 20011;
  $seen[$k] = ($seen[$k] ?? 0) ^ $x;
  if ($i % 200000 == 0) { echo "$i $x ", count($seen), "\\n"; }
}
ksort($seen);
foreach ($seen as $k => $v) echo "$k=$v\\n";
`,
    },
  },
];
