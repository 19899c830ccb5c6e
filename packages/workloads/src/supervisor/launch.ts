/** Starts one process: its streams, its sandbox, its control group; in that order, and nothing of it runs before all are in place. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, readlinkSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { type Clock, messageOf } from '@skerry/base';
import { errors } from './errors.ts';
import { openChildEnds, openOutputs, openStdin, type Streams } from './fifo.ts';
import { identify, sendSignal } from './identity.ts';
import type { LaunchSpec, ProcessIdentity } from './protocol.ts';

/** File descriptors that bubblewrap is told about. */
const INFO_FD = 3;
const GATE_FD = 4;
const STATUS_FD = 5;
const MAKE_ATTEMPTS = 4;
const LOOK_MS = 1;

export interface Launched {
  readonly main: ProcessIdentity;
  readonly monitor?: ProcessIdentity;
  readonly streams: Streams;
  /** The exit code as a shell would give it: 128 + n for signal n. */
  readonly exited: Promise<number>;
}

export interface LaunchContext {
  readonly bootId: string;
  /** Holds the FIFOs, and bubblewrap's status file. */
  readonly directory: string;
  /** Puts the held process into its control group before the command runs. */
  readonly place: (pid: number) => void;
  /** For starts that cannot be held: spawns within the control group. */
  readonly within: <T>(spawn: () => T) => T;
  readonly clock: Clock;
}

/** A sandbox that could not be made because a mount of the host has gone meanwhile, with a container or a disk, is made again. */
export async function launch(spec: LaunchSpec, context: LaunchContext): Promise<Launched> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await launchOnce(spec, context);
    } catch (error) {
      if (attempt === MAKE_ATTEMPTS || !MOUNT_GONE.test(messageOf(error))) throw error;
    }
  }
}

async function launchOnce(spec: LaunchSpec, context: LaunchContext): Promise<Launched> {
  const stdin = openStdin(context.directory, spec);
  const child = openChildEnds(context.directory, spec);
  const streams = { ...(stdin === undefined ? {} : { stdin }), ...openOutputs(context.directory, spec) };
  try {
    const started = spec.sandbox === undefined ? startPlain : startSandboxed;
    return { ...(await started(spec, child.stdio, context)), streams };
  } catch (error) {
    const said = await firstWords(streams.stderr ?? streams.stdout, () => child.close());
    for (const stream of Object.values(streams)) stream.destroy();
    throw said === '' ? error : errors.START_FAILED({ program: programOf(spec), reason: said }, { cause: error });
  } finally {
    child.close();
  }
}

type Started = Omit<Launched, 'streams'>;
type Stdio = readonly ['ignore' | number, number, number];

async function startPlain(spec: LaunchSpec, stdio: Stdio, context: LaunchContext): Promise<Started> {
  const [program = '', ...args] = spec.argv;
  const cwd = spec.cwd === undefined ? {} : { cwd: spec.cwd };
  const process = context.within(() =>
    spawn(program, args, { stdio: [...stdio], env: { ...spec.env }, detached: true, ...cwd }),
  );
  const exited = exitOf(process);
  return { main: await identityOf(process, spec, context), exited };
}

/** bubblewrap goes through the host's mounts one by one; what the kernel says of one that is gone differs from case to case. */
const MOUNT_GONE = /bwrap: Can't /;

/** bubblewrap says its child's pid, holds the child at the gate until it is in its group, and writes its exit code to a file. */
async function startSandboxed(spec: LaunchSpec, stdio: Stdio, context: LaunchContext): Promise<Started> {
  const [bubblewrap = '', ...options] = spec.sandbox ?? [];
  const status = openSync(join(context.directory, 'status'), 'a', 0o600);
  const fds = ['--info-fd', INFO_FD, '--block-fd', GATE_FD, '--json-status-fd', STATUS_FD].map(String);
  const made = [bubblewrap, ...fds, '--new-session', ...options, '--', ...spec.argv];
  const [program = '', ...args] = [...(spec.enter ?? []), ...made];
  const process = spawn(program, args, {
    stdio: [...stdio, 'pipe', 'pipe', status],
    env: { ...spec.env },
    detached: true,
  });
  closeSync(status);
  const exited = exitOf(process);
  const gate = process.stdio[GATE_FD] as Writable;
  gate.on('error', () => {});
  const monitor = await identityOf(process, spec, context);
  const main = identify(await childPidOf(process, spec), context.bootId);
  if (main === undefined) throw errors.START_FAILED({ program: programOf(spec), reason: 'it ended at once' });
  try {
    context.place(main.pid);
  } catch (error) {
    // Its group has gone with the container it was for. At the gate it would wait for ever.
    for (const { pid } of [main, monitor]) sendSignal(pid, 'SIGKILL');
    throw error;
  }
  gate.end('1');
  await untilMade(main, { bubblewrap, exited, context });
  return { main, monitor, exited };
}

/** Resolves when the command has taken bubblewrap's place; throws when bubblewrap has ended without. */
async function untilMade(
  { pid }: ProcessIdentity,
  { bubblewrap, exited, context }: Pick<Started, 'exited'> & { bubblewrap: string; context: LaunchContext },
): Promise<void> {
  const program = realpathSync(bubblewrap);
  while (programIn(pid) === program) await context.clock.sleep(LOOK_MS);
  if (programIn(pid) !== undefined) return;
  // It has ended already; how, bubblewrap tells only of a command that it could start.
  await exited;
  const said = readFileSync(join(context.directory, 'status'), 'utf8');
  if (said.includes('"exit-code"')) return;
  throw errors.START_FAILED({ program: bubblewrap, reason: 'the sandbox could not be made' });
}

/** Undefined for a process that is gone; what may not be looked at is bubblewrap no more. */
function programIn(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EACCES' ? '' : undefined;
  }
}

function exitOf(process: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    process.once('exit', (code, signal) => resolve(code ?? 128 + signalNumber(signal)));
    process.once('error', () => resolve(128));
  });
}

async function identityOf(process: ChildProcess, spec: LaunchSpec, context: LaunchContext): Promise<ProcessIdentity> {
  if (process.pid === undefined) {
    const cause = await new Promise<NodeJS.ErrnoException>((resolve) => process.once('error', resolve));
    throw errors.START_FAILED({ program: programOf(spec), reason: cause.code ?? 'unknown' }, { cause });
  }
  const identity = identify(process.pid, context.bootId);
  if (identity === undefined) throw errors.START_FAILED({ program: programOf(spec), reason: 'it ended at once' });
  return identity;
}

async function childPidOf(process: ChildProcess, spec: LaunchSpec): Promise<number> {
  const info = process.stdio[INFO_FD] as Readable;
  let text = '';
  for await (const chunk of info) text += String(chunk);
  if (text === '') throw errors.START_FAILED({ program: programOf(spec), reason: 'the sandbox could not be made' });
  const { 'child-pid': pid } = JSON.parse(text) as { 'child-pid'?: unknown };
  if (typeof pid !== 'number') throw errors.START_FAILED({ program: programOf(spec), reason: 'no child pid' });
  return pid;
}

/** What a failed start printed: the reason a person needs. The writing end is closed first, or there would be no end to read. */
async function firstWords(output: Readable, closeWriter: () => void): Promise<string> {
  closeWriter();
  let text = '';
  try {
    for await (const chunk of output) {
      text += String(chunk);
      if (text.length > 1024) break;
    }
  } catch {
    // The stream was destroyed: there is nothing more to learn.
  }
  return text.trim().slice(0, 1024);
}

function programOf(spec: LaunchSpec): string {
  return spec.sandbox?.[0] ?? spec.argv[0] ?? '';
}

const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGSEGV: 11,
  SIGUSR2: 12,
  SIGPIPE: 13,
  SIGALRM: 14,
  SIGTERM: 15,
  SIGXCPU: 24,
  SIGXFSZ: 25,
  SIGSYS: 31,
};

function signalNumber(signal: string | null): number {
  return signal === null ? 0 : (SIGNALS[signal] ?? 0);
}
