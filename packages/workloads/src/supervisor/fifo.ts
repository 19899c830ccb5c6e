/**
 * Named pipes for standard streams. A process holds its own output open for reading as well, so when the supervisor dies it is
 * neither killed by SIGPIPE nor loses a byte: it blocks once the pipe is full, and the next supervisor reads on.
 */
import { spawn } from 'node:child_process';
import { chmodSync, chownSync, closeSync, constants, mkdirSync, openSync, readdirSync, renameSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import type { Clock } from '@skerry/base';
import type { LaunchSpec } from './protocol.ts';

/** Node cannot make a FIFO, and starting mkfifo for each would cost as much as starting the process: they are made in advance. */
const SPARE_FIFOS = 64;
/** How long the end of a process waits for the last of its output. */
const DRAIN_MS = 1000;
const { O_NONBLOCK, O_RDONLY, O_RDWR } = constants;

export type StreamName = 'stdin' | 'stdout' | 'stderr';

export class FifoPool {
  readonly #directory: string;
  #spare: string[];
  #made = 0;
  #filling: Promise<void> | undefined;

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#spare = readdirSync(directory).map((name) => join(directory, name));
    this.#made = this.#spare.reduce((most, path) => Math.max(most, Number(path.split('-').at(-1)) || 0), 0);
  }

  /** Moves one to `path`. */
  async moveTo(path: string): Promise<void> {
    let fifo = this.#spare.pop();
    while (fifo === undefined) {
      await this.fill();
      fifo = this.#spare.pop();
    }
    renameSync(fifo, path);
    if (this.#spare.length < SPARE_FIFOS / 4) this.fill().catch(() => {});
  }

  fill(): Promise<void> {
    this.#filling ??= this.#make().finally(() => {
      this.#filling = undefined;
    });
    return this.#filling;
  }

  async #make(): Promise<void> {
    const paths = Array.from({ length: SPARE_FIFOS }, () => join(this.#directory, `fifo-${++this.#made}`));
    await new Promise<void>((resolve, reject) => {
      const mkfifo = spawn('mkfifo', ['-m', '0600', '--', ...paths], { stdio: 'ignore' });
      mkfifo.once('error', reject);
      mkfifo.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`mkfifo ended with ${code}`))));
    });
    this.#spare.push(...paths);
  }
}

export interface Streams {
  readonly stdin?: Socket;
  readonly stdout: Socket;
  readonly stderr?: Socket;
}

/** The process's own ends, to be closed here (again does no harm) once it has them. Terminals have no stderr of their own. */
export interface ChildEnds {
  readonly stdio: readonly ['ignore' | number, number, number];
  close(): void;
}

export async function makeStreams(
  pool: FifoPool,
  directory: string,
  spec: Pick<LaunchSpec, 'owner' | 'stdin' | 'tty'>,
): Promise<void> {
  const names: StreamName[] = spec.tty ? ['stdout'] : ['stdout', 'stderr'];
  if (spec.stdin) names.push('stdin');
  for (const name of names) {
    const path = join(directory, name);
    await pool.moveTo(path);
    if (spec.owner === undefined) continue;
    chmodSync(path, 0o600);
    chownSync(path, spec.owner.uid, spec.owner.gid);
  }
}

export function openChildEnds(directory: string, spec: Pick<LaunchSpec, 'stdin' | 'tty'>): ChildEnds {
  // Never O_NONBLOCK: the flag belongs to the open file, which the process shares, and programs do not expect EAGAIN.
  const stdout = openSync(join(directory, 'stdout'), O_RDWR);
  const stderr = spec.tty ? stdout : openSync(join(directory, 'stderr'), O_RDWR);
  const stdin = spec.stdin ? openSync(join(directory, 'stdin'), O_RDONLY) : undefined;
  const open = new Set([stdout, stderr, ...(stdin === undefined ? [] : [stdin])]);
  return {
    stdio: [stdin ?? 'ignore', stdout, stderr],
    close: () => {
      for (const fd of open) closeSync(fd);
      open.clear();
    },
  };
}

/** Opens the supervisor's ends; of standard input before the process's, which would block without a writer. */
export function openStdin(directory: string, spec: Pick<LaunchSpec, 'stdin'>): Socket | undefined {
  if (!spec.stdin) return undefined;
  const fd = openSync(join(directory, 'stdin'), O_RDWR | O_NONBLOCK);
  return quiet(new Socket({ fd, readable: false, writable: true }));
}

export function openOutputs(directory: string, spec: Pick<LaunchSpec, 'tty'>): Omit<Streams, 'stdin'> {
  const reader = (name: StreamName) =>
    quiet(new Socket({ fd: openSync(join(directory, name), O_RDONLY | O_NONBLOCK), readable: true, writable: false }));
  return { stdout: reader('stdout'), ...(spec.tty ? {} : { stderr: reader('stderr') }) };
}

function quiet(socket: Socket): Socket {
  // A broken pipe ends the stream; the process's own exit says the rest.
  socket.on('error', () => socket.destroy());
  return socket;
}

export function destroyStreams(streams: Streams | undefined): void {
  streams?.stdin?.destroy();
  streams?.stdout.destroy();
  streams?.stderr?.destroy();
}

/** Waits for the last of what was written, but no longer than `DRAIN_MS`. */
export async function drainOutputs({ stdout, stderr }: Streams, clock: Clock): Promise<void> {
  const outputs = stderr === undefined ? [stdout] : [stdout, stderr];
  const ends = outputs.map((stream) =>
    stream.closed || stream.readableEnded
      ? Promise.resolve()
      : new Promise<void>((resolve) => {
          stream.once('end', resolve);
          stream.once('close', resolve);
        }),
  );
  const cancelled = new AbortController();
  const timeout = clock.sleep(DRAIN_MS, cancelled.signal).catch(() => {});
  await Promise.race([Promise.all(ends), timeout]);
  cancelled.abort();
}
