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
  /** Options with one that may be there several times. */
  lists?: readonly string[];
  /** Options that may have a value, and the one that stands for none. */
  optional?: Readonly<Record<string, string>>;
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
  list(name: string): string[];
  operands: string[];
}

/** Reads a command's arguments. Throws a UsageError. */
export function readArguments(args: string[], grammar: Grammar): Arguments {
  const { flags = [], values = [], lists = [], optional = {}, operands: [least, most] } = grammar;
  const withValue = [...values, ...Object.keys(optional)];
  const known = new Set([...flags, ...withValue, ...lists]);
  for (const argument of grammar.commandLine ? [] : args) {
    if (argument === "--") break;
    const flag = flags.find((name) => argument.startsWith(`--${name}=`));
    if (flag) throw new UsageError(`--${flag} takes no value`);
  }
  // What follows the options of a command line, or --, is not looked at.
  const parsed = parseArgs(withDefaults(args, grammar), {
    boolean: flags,
    string: ["_", ...withValue, ...lists],
    collect: lists,
    stopEarly: grammar.commandLine ?? false,
    unknown: (argument, key) => {
      if (key === undefined || !argument.startsWith("-") || argument === "-") return true;
      throw new UsageError(`There is no option ${argument.split("=")[0]}`);
    },
  });
  for (const name of [...withValue, ...lists]) {
    const value = parsed[name];
    if ([value].flat().includes("")) throw new UsageError(`--${name} takes a value`);
    if (Array.isArray(value) && !lists.includes(name)) {
      throw new UsageError(`--${name} is there twice`);
    }
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
    list: (name) => [parsed[name] ?? []].flat() as string[],
  };
}

/** The arguments with a value for each option that may have none, as far as they are not another program's. */
function withDefaults(args: string[], grammar: Grammar): string[] {
  const { optional = {}, values = [], lists = [] } = grammar;
  const filled = [...args];
  for (let i = 0; i < args.length && args[i] !== "--"; i++) {
    const argument = args[i]!;
    const name = argument.slice(2);
    if (!argument.startsWith("-") && grammar.commandLine) break;
    if (Object.hasOwn(optional, name)) filled[i] = `${argument}=${optional[name]}`;
    if ([...values, ...lists].includes(name)) i++;
  }
  return filled;
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

/** Pairs LEFT=RIGHT that an option has each time that it is there. */
export function readPairs(
  args: Arguments,
  option: { name: string; form: string; left: RegExp },
): [string, string][] {
  return args.list(option.name).map((value) => {
    const equals = value.indexOf("=");
    if (option.left.test(value.slice(0, Math.max(equals, 0))) && equals < value.length - 1) {
      return [value.slice(0, equals), value.slice(equals + 1)];
    }
    throw new UsageError(`--${option.name} takes ${option.form}, not ${value}`);
  });
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
