/**
 * Tries rules for the cloud, which goes on meanwhile: in a few processes that begin when somebody asks and end when nobody does, with
 * limits to the memory and time of each trial. Processes, because V8 ends all threads of a process when one has no memory left.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Clock, Timer } from '@skerry/base';
import type { Rule } from '../kinds/rule.ts';
import type { FromTrial } from './messages.ts';
import type { Trial, TrialOutcome } from './trial.ts';

export interface TrialProgram {
  readonly program: string;
  readonly execArgv?: readonly string[];
}

export interface TrialLimits {
  /** From when a process has a trial until it has answered. */
  readonly timeMs: number;
  /** Of a trial, beside what functions in JavaScript take. */
  readonly heapMb: number;
  readonly processes: number;
  /** Trials that wait for a process. */
  readonly waiting: number;
}

const TRIAL_LIMITS: TrialLimits = { timeMs: 10_000, heapMb: 256, processes: 2, waiting: 64 };

/** What the functions of one rule may have together. */
const MAX_FUNCTION_BYTES = 256 * 1024 * 1024;
const DEFAULT_FUNCTION_BYTES = 8 * 1024 * 1024;
/** A process that is not ready then never will be. */
const START_MS = 60_000;
/** A process that nobody needed for so long ends. */
const IDLE_MS = 30_000;
/** What a process takes before it has tried anything, with room for what V8 sets aside. */
const OWN_BYTES = 192 * 1024 * 1024;
/** How often it is looked at what a process takes. */
const LOOK_MS = 50;

/** The rule, or what it was given, takes too much; in words that say which limit it was. */
export class TrialLimit extends Error {
  override readonly name = 'TrialLimit';
}

/** Too many are waiting already. */
export class TooManyTrials extends Error {
  override readonly name = 'TooManyTrials';
}

export interface Trials {
  /** Rejects with a TrialLimit, TooManyTrials, the signal's reason, or what has gone wrong with the process. */
  run(trial: Trial, signal?: AbortSignal): Promise<TrialOutcome>;
  close(): void;
}

export interface TrialsOptions extends TrialProgram {
  readonly clock: Clock;
  readonly limits?: Partial<TrialLimits>;
}

export function createTrials(options: TrialsOptions): Trials {
  return new Processes(options);
}

interface Process {
  readonly child: ChildProcess;
  readonly ready: Promise<void>;
  idle: Timer | undefined;
}

class Processes implements Trials {
  readonly #options: TrialsOptions;
  readonly #limits: TrialLimits;
  readonly #idle: Process[] = [];
  readonly #all = new Set<ChildProcess>();
  readonly #waiting: (() => void)[] = [];
  #busy = 0;
  #isClosed = false;

  constructor(options: TrialsOptions) {
    this.#options = options;
    this.#limits = { ...TRIAL_LIMITS, ...options.limits };
  }

  async run(trial: Trial, signal?: AbortSignal): Promise<TrialOutcome> {
    checkFunctions(trial.rule);
    await this.#turn();
    try {
      signal?.throwIfAborted();
      return await this.#runIn(this.#take(), trial, signal);
    } finally {
      this.#busy--;
      this.#waiting.shift()?.();
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const child of this.#all) child.kill('SIGKILL');
    for (const { idle } of this.#idle) idle?.cancel();
  }

  async #turn(): Promise<void> {
    if (this.#busy >= this.#limits.processes) {
      if (this.#waiting.length >= this.#limits.waiting)
        throw new TooManyTrials('too many rules are being tried at once: try again in a moment');
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      await promise;
    }
    this.#busy++;
    if (this.#isClosed) throw new Error('no rules are tried any more');
  }

  #take(): Process {
    const known = this.#idle.pop();
    known?.idle?.cancel();
    return known ?? this.#start();
  }

  #start(): Process {
    const { program, execArgv = [], clock } = this.#options;
    const child = fork(program, {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      env: {},
      execArgv: [...execArgv, `--max-old-space-size=${this.#limits.heapMb}`],
    });
    this.#all.add(child);
    child.once('exit', () => this.#forget(child));
    return { child, ready: started(child, clock), idle: undefined };
  }

  #forget(child: ChildProcess): void {
    this.#all.delete(child);
    const at = this.#idle.findIndex((each) => each.child === child);
    if (at >= 0) this.#idle.splice(at, 1)[0]?.idle?.cancel();
  }

  async #runIn(process: Process, trial: Trial, signal: AbortSignal | undefined): Promise<TrialOutcome> {
    const { clock } = this.#options;
    const { child } = process;
    const end = () => child.kill('SIGKILL');
    signal?.addEventListener('abort', end, { once: true });
    let isWell = false;
    try {
      await process.ready;
      const answering = answerOf(child, clock, this.#limits.timeMs);
      using _memory = endAbove(child, clock, this.#maxBytesOf(trial.rule));
      child.send(trial);
      const answer = await answering;
      if (answer.type !== 'outcome')
        throw new Error(answer.type === 'failed' ? answer.message : 'no outcome was given');
      isWell = true;
      return answer.outcome;
    } catch (error) {
      signal?.throwIfAborted();
      throw error instanceof ProcessEnded && !this.#isClosed ? this.#limitOf(error) : error;
    } finally {
      signal?.removeEventListener('abort', end);
      if (isWell) this.#keep(process);
      else end();
    }
  }

  /** V8 keeps to its own limit; what it does not count, such as bytes, is within this one. */
  #maxBytesOf(rule: Rule): number {
    return OWN_BYTES + this.#limits.heapMb * 1024 * 1024 + functionBytesOf(rule);
  }

  #keep(process: Process): void {
    const { child } = process;
    process.idle = this.#options.clock.after(IDLE_MS, () => child.kill('SIGKILL'), { unref: true });
    // The next trial has all that it may take.
    if (this.#isClosed || !child.connected || residentBytesOf(child) > OWN_BYTES) child.kill('SIGKILL');
    else this.#idle.push(process);
  }

  #limitOf({ hadTime }: ProcessEnded): Error {
    const { timeMs, heapMb } = this.#limits;
    if (!hadTime) return new TrialLimit(`it was tried for ${timeMs / 1000} s, which is the limit of the cloud`);
    return new TrialLimit(`it took more than ${heapMb} MiB of memory, which is the limit of the cloud`);
  }
}

/** The process has ended, by itself or because its time was up. */
class ProcessEnded extends Error {
  override readonly name = 'ProcessEnded';
  readonly hadTime: boolean;

  constructor(hadTime: boolean) {
    super('the process has ended');
    this.hadTime = hadTime;
  }
}

async function started(child: ChildProcess, clock: Clock): Promise<void> {
  try {
    await answerOf(child, clock, START_MS);
  } catch (cause) {
    throw new Error('the process that tries rules has not started', { cause });
  }
}

/** What it says next; ends the process when that takes too long. */
async function answerOf(child: ChildProcess, clock: Clock, timeMs: number): Promise<FromTrial> {
  const { promise, resolve, reject } = Promise.withResolvers<FromTrial>();
  let hasTime = true;
  using _timer = clock.after(timeMs, () => {
    hasTime = false;
    child.kill('SIGKILL');
  });
  const onExit = () => reject(new ProcessEnded(hasTime));
  child.once('message', resolve);
  child.once('exit', onExit);
  child.once('error', reject);
  try {
    return await promise;
  } finally {
    child.off('message', resolve).off('exit', onExit).off('error', reject);
  }
}

/** Until it is disposed of, ends a process that takes more. */
function endAbove(child: ChildProcess, clock: Clock, maxBytes: number): Disposable {
  let timer: Timer | undefined;
  const look = () => {
    if (residentBytesOf(child) > maxBytes) child.kill('SIGKILL');
    timer = clock.after(LOOK_MS, look, { unref: true });
  };
  look();
  return { [Symbol.dispose]: () => timer?.cancel() };
}

/** As the kernel counts it; 0 where it does not say. */
function residentBytesOf({ pid }: ChildProcess): number {
  try {
    const [, kilobytes = '0'] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kilobytes) * 1024;
  } catch {
    return 0;
  }
}

function functionBytesOf({ spec: { functions = [] } }: Rule): number {
  return functions.reduce((sum, { maxBytes = DEFAULT_FUNCTION_BYTES }) => sum + maxBytes, 0);
}

function checkFunctions(rule: Rule): void {
  const bytes = functionBytesOf(rule);
  if (bytes > MAX_FUNCTION_BYTES)
    throw new TrialLimit(`its functions may take ${bytes} bytes, and the cloud tries rules with ${MAX_FUNCTION_BYTES}`);
}
