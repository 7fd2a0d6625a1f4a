import { assertEquals, assertThrows } from "@std/assert";
import { milliseconds } from "../src/duration.ts";

Deno.test("milliseconds() reads every unit, and sums of them", () => {
  assertEquals(
    ["500ms", "30s", "10m", "1h30m", "2d", "1.5s", 7].map(milliseconds),
    [500, 30_000, 600_000, 5_400_000, 172_800_000, 1500, 7],
  );
});

Deno.test("milliseconds() refuses what is not a duration above zero", () => {
  for (const wrong of ["", "10", "m", "-5s", "5 s", "0s", "1.2.3s", 0, -1, NaN, Infinity]) {
    assertThrows(() => milliseconds(wrong), RangeError, "Not a duration");
  }
});
