/** The name that a table of constants has for a value, as people write it; "unknown" for a newer one. */
export function nameOf(names: Record<string, number>, value: number): string {
  const found = Object.entries(names).find(([, number]) => number === value);
  return found ? found[0].toLowerCase().replaceAll("_", " ") : "unknown";
}
