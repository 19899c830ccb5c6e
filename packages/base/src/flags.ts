/** The command line of a process: one table of flags, from which come parsing, defaults, help and error sentences. */
import { parseArgs } from 'node:util';
import { defineErrors, messageOf } from './errors.ts';
import type { LogLevel } from './log.ts';

export const flagErrors = defineErrors('FLAGS', {
  UNKNOWN: { text: '{problem}; try --help', retry: 'never' },
  INVALID: { text: '--{flag} {value}: {problem}', retry: 'never', isWhole: true },
  ADDRESS_IN_USE: {
    text: '--{flag} {address}: another program listens there; stop it, or name another address',
    retry: 'never',
    isWhole: true,
  },
});

export interface Flag<T> {
  /** A sentence for the help text. */
  readonly text: string;
  /** What stands for the value in the help, such as `HOST:PORT`; absent for a switch. */
  readonly value?: string;
  /** May be given several times; `parse` then gets each. */
  readonly repeatable?: boolean;
  /** Turns the text into the value; throws an Error whose message completes "--flag VALUE: …". */
  readonly parse: (text: string) => T;
  readonly fallback?: T | readonly T[];
  /** How the help names the default when it is computed. */
  readonly fallbackText?: string;
}

export type FlagTable = Readonly<Record<string, Flag<unknown>>>;

type ValueOf<F> = F extends { readonly repeatable: true; readonly parse: (text: string) => infer T }
  ? readonly T[]
  : F extends { readonly parse: (text: string) => infer T; readonly fallback: unknown }
    ? T
    : F extends { readonly parse: (text: string) => infer T }
      ? T | undefined
      : never;

export type FlagValues<Table extends FlagTable> = { readonly [Name in keyof Table]: ValueOf<Table[Name]> };

/** Parses arguments against the table. Throws FLAGS_* errors with a sentence that says what to do. */
export function parseFlags<const Table extends FlagTable>(table: Table, args: readonly string[]): FlagValues<Table> {
  const given = readArguments(table, args);
  const entries = Object.entries(table).map(([name, flag]) => [name, resolveValue(name, flag, given[name])]);
  return Object.freeze(Object.fromEntries(entries)) as FlagValues<Table>;
}

type Given = Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>;

function readArguments(table: FlagTable, args: readonly string[]): Given {
  const options = Object.fromEntries(
    Object.entries(table).map(([name, flag]) => [
      name,
      {
        type: flag.value === undefined ? ('boolean' as const) : ('string' as const),
        multiple: flag.repeatable ?? false,
      },
    ]),
  );
  try {
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values as Given;
  } catch (cause) {
    // The platform's sentence goes on with advice about positional arguments that does not apply here.
    throw flagErrors.UNKNOWN({ problem: messageOf(cause).split('. ')[0] }, { cause });
  }
}

function resolveValue(name: string, flag: Flag<unknown>, given: Given[string]): unknown {
  if (given === undefined) return flag.repeatable === true ? (flag.fallback ?? []) : flag.fallback;
  if (Array.isArray(given)) return given.map((text) => parseOne(name, flag, String(text)));
  return parseOne(name, flag, String(given));
}

function parseOne(name: string, flag: Flag<unknown>, text: string): unknown {
  try {
    return flag.parse(text);
  } catch (cause) {
    throw flagErrors.INVALID({ flag: name, value: text, problem: messageOf(cause) }, { cause });
  }
}

/** The part of a help text that lists the flags. */
export function describeFlags(table: FlagTable): string {
  const rows = Object.entries(table).map(([name, flag]) => [
    `  --${name}${flag.value === undefined ? '' : ` ${flag.value}`}${flag.repeatable === true ? '…' : ''}`,
    `${flag.text}${fallbackOf(flag)}`,
  ]);
  const width = Math.max(...rows.map(([left]) => (left ?? '').length));
  return rows.map(([left, right]) => `${(left ?? '').padEnd(width)}  ${right}`).join('\n');
}

function fallbackOf(flag: Flag<unknown>): string {
  if (flag.fallbackText !== undefined) return ` (default: ${flag.fallbackText})`;
  if (flag.fallback === undefined || flag.fallback === false) return '';
  return ` (default: ${String(flag.fallback)})`;
}

const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** `--log-level`, the same in every process. */
export const logLevelFlag = {
  text: `How much to log: ${LOG_LEVELS.join(', ')}.`,
  value: 'LEVEL',
  parse: (text: string): LogLevel => {
    const level = LOG_LEVELS.find((each) => each === text);
    if (level === undefined) throw new Error(`must be one of ${LOG_LEVELS.join(', ')}`);
    return level;
  },
  fallback: 'info',
} as const satisfies Flag<LogLevel>;

/** A switch: present or not. */
export function toggle(text: string): Flag<boolean> & { readonly fallback: boolean } {
  return { text, parse: (value) => value === 'true', fallback: false };
}

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** `HOST:PORT` or `[IPv6]:PORT`. */
export function parseHostPort(text: string): HostPort {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port > 65535) throw new Error('must be HOST:PORT, such as 127.0.0.1:6443');
  return { host: match[1] ?? match[2] ?? '', port };
}

export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Opens a listener at the address of a flag; an address that is taken is told in terms of the flag. */
export async function listenAt<T>(flag: string, at: HostPort, listen: () => Promise<T>): Promise<T> {
  try {
    return await listen();
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? cause.code : undefined;
    const address = formatHostPort(at);
    if (code === 'EADDRINUSE') throw flagErrors.ADDRESS_IN_USE({ flag, address }, { cause });
    const problem = LISTEN_PROBLEMS[String(code)];
    if (problem === undefined) throw cause;
    throw flagErrors.INVALID({ flag, value: address, problem }, { cause });
  }
}

const LISTEN_PROBLEMS: Readonly<Record<string, string>> = {
  EACCES: 'this user may not listen on a port below 1024; choose a higher one',
  EADDRNOTAVAIL: 'this machine has no such address',
  ENOTFOUND: 'this name has no address',
};

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration such as `90s`, `10m`, `1h30m` or `90d`, in milliseconds. */
export function parseDuration(text: string): number {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+$/.test(text))
    throw new Error('must be a duration such as 30s, 10m, 24h or 90d');
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g);
  return [...parts].reduce((sum, [, amount, unit]) => sum + Number(amount) * (UNIT_MS[unit ?? ''] ?? 0), 0);
}
