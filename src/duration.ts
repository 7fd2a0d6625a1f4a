const UNITS: Record<string, number> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** A length of time: milliseconds, or text such as `"10m"`, `"1h30m"`, `"500ms"`. */
export type Duration = number | string;

/** A duration in milliseconds. Throws a RangeError for what is not a duration above zero. */
export function milliseconds(duration: Duration): number {
  const value = typeof duration === "number" ? duration : parse(duration);
  if (!Number.isFinite(value) || value <= 0) {
    throw new RangeError(`Not a duration: ${duration} (write it like 30s, 10m or 1h30m)`);
  }
  return value;
}

function parse(text: string): number {
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) return NaN;
  let sum = 0;
  for (const [, number, unit] of text.matchAll(/([\d.]+)(ms|s|m|h|d)/g)) {
    sum += Number(number) * UNITS[unit!]!;
  }
  return sum;
}
