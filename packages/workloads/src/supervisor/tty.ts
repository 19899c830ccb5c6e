/**
 * A real terminal without native code: util-linux `script` makes it, and what `script` runs is this very program, which then
 * becomes the command. See docs/adr/0003-terminals-without-native-code.md.
 */
import { spawn } from 'node:child_process';
import { accessSync, constants, fchownSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { descendantsOf } from './identity.ts';
import type { LaunchSpec } from './protocol.ts';

/** The one text that reaches a shell. It is constant: no value, not even a path, is ever put into it. */
const LAUNCHER = 'exec "$SKERRY_TTY_NODE" "$SKERRY_TTY_MAIN" tty "$SKERRY_TTY_FILE"';
const MAX_DIMENSION = 65_535;

interface Handover {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly owner?: LaunchSpec['owner'];
}

/** In memory, and where every sandbox sees it: the environment in it may hold secrets, and the launcher deletes it at once. */
export function handoverFile(id: string): string {
  return `/dev/shm/skerry-tty-${id}`;
}

/** How this program is run again: its interpreter, its options and its main file. */
export interface SelfCommand {
  readonly node: string;
  readonly options: readonly string[];
  readonly main: string;
}

/** The same launch with the command under a terminal. The command itself crosses in a file that only we can read. */
export function withTerminal(spec: LaunchSpec, file: string, self: SelfCommand): LaunchSpec {
  const handover: Handover = {
    argv: spec.argv,
    env: spec.env,
    ...(spec.owner === undefined ? {} : { owner: spec.owner }),
  };
  writeFileSync(file, JSON.stringify(handover), { mode: 0o600, flag: 'wx' });
  return {
    ...spec,
    argv: ['script', '--quiet', '--return', '--echo', 'always', '--command', LAUNCHER, '/dev/null'],
    env: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      SHELL: '/bin/sh',
      NODE_OPTIONS: ['--no-warnings', ...self.options].join(' '),
      SKERRY_TTY_NODE: self.node,
      SKERRY_TTY_MAIN: self.main,
      SKERRY_TTY_FILE: file,
    },
  };
}

/** Runs inside the terminal: reads the command, hands the terminal to its user, and becomes the command. */
export function becomeCommand(file: string): never {
  const { argv, env, owner } = JSON.parse(readFileSync(file, 'utf8')) as Handover;
  rmSync(file);
  if (owner !== undefined) fchownSync(0, owner.uid, owner.gid);
  const [name = ''] = argv;
  const program = findProgram(name, env['PATH'] ?? '');
  if (process.execve === undefined) throw new Error('this Node has no process.execve');
  return process.execve(program, [...argv], { ...env });
}

/** Sets the size of the terminal below `pid`; false while there is none yet. */
export function resizeTerminal(pid: number, columns: number, rows: number): boolean {
  const terminal = descendantsOf(pid)
    .slice(1)
    .map(terminalOf)
    .find((path) => path !== undefined);
  if (terminal === undefined) return false;
  const size = (value: number) => String(Math.min(MAX_DIMENSION, Math.max(0, Math.trunc(value))));
  const stty = spawn('stty', ['-F', terminal, 'rows', size(rows), 'cols', size(columns)], { stdio: 'ignore' });
  stty.on('error', () => {});
  return true;
}

function terminalOf(pid: number): string | undefined {
  try {
    const target = readlinkSync(`/proc/${pid}/fd/0`);
    return /^\/dev\/pts\/\d+$/.test(target) ? target : undefined;
  } catch {
    return undefined;
  }
}

function findProgram(name: string, path: string): string {
  if (name.includes('/')) return name;
  const found = path
    .split(delimiter)
    .map((directory) => join(directory, name))
    .find(isExecutable);
  return found ?? name;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
