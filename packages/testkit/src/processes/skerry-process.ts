/** One process of the product under test: its bundle, its log in a file, its readiness as a message. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { EDGE_HEAP_FLAGS } from '@skerry/base';
import { CHECKOUT } from './checkout.ts';

export interface ProcessSpec {
  /** `cloud` or `edge`. */
  readonly bundle: string;
  readonly args: readonly string[];
  readonly log: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Runs it by way of another program, such as `strace` or `ip netns exec`. */
  readonly wrapper?: readonly string[];
  /** Runs the bundle instead of this Node, such as one of another architecture; it gets more time. */
  readonly node?: readonly string[];
}

export const LIB: string = join(CHECKOUT, 'dist', 'lib');
const READY_MS = 30_000;
const EMULATED_READY_MS = 120_000;
const END_MS = 60_000;

export class SkerryProcess {
  readonly #spec: ProcessSpec;
  #child: ChildProcess | undefined;

  constructor(spec: ProcessSpec) {
    this.#spec = spec;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`${this.#spec.bundle} is not running`);
    return pid;
  }

  get isRunning(): boolean {
    const child = this.#child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  /** Resolves with what the process said when it was ready; rejects with its log when it ends before. `more` is environment. */
  async start(more: Readonly<Record<string, string>> = {}): Promise<Readonly<Record<string, string>>> {
    const { bundle, args, log, env, wrapper = [], node = [process.execPath] } = this.#spec;
    mkdirSync(dirname(log), { recursive: true });
    const output = openSync(log, 'a');
    const heap = bundle === 'edge' ? EDGE_HEAP_FLAGS : [];
    const [command = '', ...rest] = [...wrapper, ...node, ...heap, join(LIB, `${bundle}.cjs`), ...args];
    const child = spawn(command, rest, {
      stdio: ['ignore', output, output, 'ipc'],
      env: { ...process.env, SKERRY_LIB: LIB, ...env, ...more },
    });
    closeSync(output);
    this.#child = child;
    return new Promise((resolve, reject) => {
      const patience = this.#spec.node === undefined ? READY_MS : EMULATED_READY_MS;
      const timer = setTimeout(() => reject(new Error(`${bundle} was not ready in time: ${this.readLog()}`)), patience);
      child.once('message', (facts) => {
        clearTimeout(timer);
        resolve(facts as Record<string, string>);
      });
      child.once('exit', (code) => {
        clearTimeout(timer);
        reject(new Error(`${bundle} ended with ${code}: ${this.readLog()}`));
      });
    });
  }

  readLog(): string {
    return readFileSync(this.#spec.log, 'utf8').slice(-8000);
  }

  /** As the power switch does it. */
  kill9(): Promise<void> {
    return this.#end((child) => child.kill('SIGKILL'));
  }

  /** As systemd does it. */
  stop(): Promise<void> {
    return this.#end((child) => child.kill('SIGTERM'));
  }

  send(message: object): void {
    this.#child?.send(message);
  }

  /** Resolves once the process is gone. */
  ended(): Promise<void> {
    return this.#end(() => {});
  }

  #end(ask: (child: ChildProcess) => void): Promise<void> {
    const child = this.#child;
    if (child === undefined || !this.isRunning) return Promise.resolve();
    return new Promise((resolve) => {
      // A test that failed must not leave anything behind, nor wait for it for ever.
      const timer = setTimeout(() => child.kill('SIGKILL'), END_MS);
      child.once('exit', () => {
        clearTimeout(timer);
        resolve();
      });
      ask(child);
    });
  }
}

/** A port that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
