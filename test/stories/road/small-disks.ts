/** Disks of their own for folders of processes under test, small enough to be filled: seen by those that are started in here only. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const BALLAST = 'ballast';
/** From large to small, until not one byte more fits. */
const SIZES = [1024 * 1024, 4096, 1];

export class SmallDisks implements AsyncDisposable {
  /** Lives in the namespace of the mounts and keeps it: it ends with this process, whatever ends that. */
  readonly #keeper: ChildProcess;

  /** Needs root. */
  static async mount(folders: readonly string[], megabytes: number): Promise<SmallDisks> {
    for (const folder of folders) mkdirSync(folder, { recursive: true, mode: 0o700 });
    const mounts = folders.map((folder) => `mount -t tmpfs -o mode=700,size=${megabytes}m none '${folder}'`);
    const script = [...mounts, 'echo ready', 'exec cat'].join(' && ');
    const keeper = spawn('unshare', ['-m', 'sh', '-c', script], { stdio: ['pipe', 'pipe', 'inherit'] });
    await Promise.race([
      once(keeper.stdout, 'data'),
      once(keeper, 'exit').then(() => Promise.reject(new Error('the disks cannot be mounted'))),
    ]);
    return new SmallDisks(keeper);
  }

  constructor(keeper: ChildProcess) {
    this.#keeper = keeper;
  }

  /** Starts a process where it sees the disks. */
  get wrapper(): readonly string[] {
    return ['nsenter', `--mount=/proc/${this.#keeper.pid}/ns/mnt`];
  }

  /** The folder as one finds it from outside. */
  seen(folder: string): string {
    return join(`/proc/${this.#keeper.pid}/root`, folder);
  }

  fill(folder: string): void {
    const file = openSync(join(this.seen(folder), BALLAST), 'a');
    try {
      for (const size of SIZES) while (isWritten(file, Buffer.alloc(size)));
    } finally {
      closeSync(file);
    }
  }

  clear(folder: string): void {
    rmSync(join(this.seen(folder), BALLAST), { force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#keeper, 'exit');
    this.#keeper.stdin?.end();
    await ended;
  }
}

function isWritten(file: number, bytes: Uint8Array): boolean {
  try {
    return writeSync(file, bytes) === bytes.length;
  } catch {
    return false;
  }
}
