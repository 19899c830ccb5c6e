/** A process that `skerry up` starts and watches: its log in a file, its readiness as a message, its restart when it dies. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type BackoffPolicy, backoffDelay, EDGE_HEAP_FLAGS } from '@skerry/base';
import { type CliContext, cliErrors } from './context.ts';

export interface ChildSpec {
  readonly name: string;
  readonly args: readonly string[];
  /** The file that takes its log. */
  readonly log: string;
  readonly stopWith: 'SIGTERM' | 'message';
  readonly env?: Readonly<Record<string, string>>;
}

/** What a child says once it serves. */
export type ReadyFacts = Readonly<Record<string, string>>;

export interface Child {
  readonly facts: ReadyFacts;
  /** Asks it to end; ends it by force after `withinMs`. */
  stop(withinMs: number): Promise<void>;
}

const RESTART: BackoffPolicy = { baseMs: 1000, capMs: 30_000 };
/** A run that lasted this long counts as healthy: the next restart is quick again. */
const HEALTHY_MS = 60_000;
const MAX_LOG_BYTES = 10 * 1024 * 1024;

/** The path of a log in a folder that is made if need be; a large one from earlier runs is set aside, one deep. */
export function childLog(folder: string, file: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const log = join(folder, file);
  if (existsSync(log) && statSync(log).size > MAX_LOG_BYTES) renameSync(log, `${log}.1`);
  return log;
}

/** Starts the process and resolves once it is ready; rejects with its last error when it ends before that. */
export async function startChild(context: CliContext, spec: ChildSpec, signal: AbortSignal): Promise<Child> {
  const state: Running = { stopping: false };
  const facts = await launch(context, spec, state);
  void keepRunning(context, spec, state, signal);
  return { facts, stop: (withinMs) => stopRunning(context, spec, state, withinMs) };
}

interface Running {
  process?: ChildProcess;
  stopping: boolean;
}

function launch(context: CliContext, spec: ChildSpec, state: Running): Promise<ReadyFacts> {
  const log = openSync(spec.log, 'a', 0o600);
  const begins = statSync(spec.log).size;
  const heap = spec.name === 'edge' ? EDGE_HEAP_FLAGS : [];
  const child = spawn(context.node, [...heap, join(context.lib, `${spec.name}.cjs`), ...spec.args], {
    // A group of its own, so that the terminal's Ctrl-C reaches only us and the order of stopping is ours.
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    env: { ...context.environment, ...spec.env },
  });
  closeSync(log);
  state.process = child;
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as ReadyFacts));
    child.once('error', (cause) =>
      reject(cliErrors.PROCESS_FAILED({ process: spec.name, reason: cause.message, log: spec.log }, { cause })),
    );
    child.once('exit', () =>
      reject(cliErrors.PROCESS_FAILED({ process: spec.name, reason: lastError(spec.log, begins), log: spec.log })),
    );
  });
}

/** The last thing the log says, as a reason for a person. */
function lastError(log: string, begins: number): string {
  const lines = readFileSync(log).subarray(begins).toString().trimEnd().split('\n');
  const last = lines.at(-1) ?? '';
  try {
    const { msg, error } = JSON.parse(last) as { msg?: string; error?: { message?: string } };
    return error?.message ?? msg ?? last;
  } catch {
    return last.replace(/^skerry: /, '') || 'it ended without a word';
  }
}

async function keepRunning(context: CliContext, spec: ChildSpec, state: Running, signal: AbortSignal): Promise<void> {
  for (let failures = 0; !state.stopping && !signal.aborted; failures++) {
    const started = context.clock.monotonic();
    await ended(state.process);
    if (state.stopping || signal.aborted) return;
    if (context.clock.monotonic() - started > HEALTHY_MS) failures = 0;
    context.say(`skerry: the ${spec.name} process ended by itself and is started again (log: ${spec.log})\n`);
    await context.clock.sleep(backoffDelay(RESTART, failures), signal).catch(() => {});
    if (!state.stopping && !signal.aborted) await launch(context, spec, state).catch(() => {});
  }
}

async function stopRunning(context: CliContext, spec: ChildSpec, state: Running, withinMs: number): Promise<void> {
  state.stopping = true;
  const child = state.process;
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  if (spec.stopWith === 'message' && child.connected) child.send({ stop: 'with-pods' });
  else child.kill('SIGTERM');
  using _force = context.clock.after(withinMs, () => child.kill('SIGKILL'));
  await ended(child);
}

function ended(child: ChildProcess | undefined): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once('exit', () => resolve()));
}
