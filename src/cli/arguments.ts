import { parseArgs } from "@std/cli/parse-args";

/** A command was used in a way that its help does not allow. */
export class UsageError extends Error {
  override name = "UsageError";
}

/** What a command takes. */
export interface Grammar {
  /** Options without a value. */
  flags?: readonly string[];
  /** Options with one. */
  values?: readonly string[];
  /** How many other arguments there are, at the least and at the most. */
  operands: readonly [number, number];
  /** What to name when there are too few. */
  wanted?: string;
  /** Whether everything from the first other argument on is a command line of its own. */
  commandLine?: boolean;
}

/** Arguments, read. */
export interface Arguments {
  flag(name: string): boolean;
  value(name: string): string | undefined;
  operands: string[];
}

/** Reads a command's arguments. Throws a UsageError. */
export function readArguments(args: string[], grammar: Grammar): Arguments {
  const { flags = [], values = [], operands: [least, most] } = grammar;
  const known = new Set([...flags, ...values]);
  for (const argument of grammar.commandLine ? [] : args) {
    if (argument === "--") break;
    const flag = flags.find((name) => argument.startsWith(`--${name}=`));
    if (flag) throw new UsageError(`--${flag} takes no value`);
  }
  // What follows the options of a command line, or --, is not looked at.
  const parsed = parseArgs(args, {
    boolean: flags,
    string: ["_", ...values],
    stopEarly: grammar.commandLine ?? false,
    unknown: (argument, key) => {
      if (key === undefined || !argument.startsWith("-") || argument === "-") return true;
      throw new UsageError(`There is no option ${argument.split("=")[0]}`);
    },
  });
  for (const name of values) {
    const value = parsed[name];
    if (value === "") throw new UsageError(`--${name} takes a value`);
    if (Array.isArray(value)) throw new UsageError(`--${name} is there twice`);
  }
  for (const name of Object.keys(parsed)) {
    if (name !== "_" && !known.has(name)) throw new UsageError(`There is no option --${name}`);
  }
  const operands = parsed._.map(String);
  if (operands.length < least) throw new UsageError(`Name ${grammar.wanted ?? "something"}`);
  if (operands.length > most) {
    throw new UsageError(`There is too much: ${operands.slice(most).join(" ")}`);
  }
  return {
    operands,
    flag: (name) => parsed[name] === true,
    value: (name) => parsed[name] as string | undefined,
  };
}

/** A whole number from 1 that an option has, if it is there. */
export function readCount(args: Arguments, name: string): number | undefined {
  const value = args.value(name);
  if (value === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(value)) {
    throw new UsageError(`--${name} takes a whole number from 1, not ${value}`);
  }
  return Number(value);
}

/** One of some words that an option has, if it is there. */
export function readChoice<T extends string>(
  args: Arguments,
  option: { name: string; choices: readonly T[] },
): T | undefined {
  const value = args.value(option.name);
  if (value === undefined) return undefined;
  const choice = option.choices.find((choice) => choice === value);
  if (choice) return choice;
  throw new UsageError(`--${option.name} is one of ${option.choices.join(", ")}, not ${value}`);
}
