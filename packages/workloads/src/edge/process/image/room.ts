/**
 * Where roots of containers are mounted. Root mounts on the node itself. Everybody else gets a user namespace, in which they are root:
 * an idle process holds it open for as long as the agent runs; containers that live longer keep what they need of it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Room {
  /** Words before a command that is to run where the mounts are. */
  enter(): Promise<readonly string[]>;
  /** Runs a command there; throws with what it printed when it fails. */
  run(command: readonly string[]): Promise<void>;
  close(): void;
}

const MAX_WORDS_BYTES = 4096;

/** For root. */
export const nodeRoom: Room = {
  enter: async () => [],
  run: (command) => runCommand(command),
  close: () => {},
};

export interface UserRoomTools {
  readonly unshare: string;
  readonly nsenter: string;
  /** A program that copies its input to its output. */
  readonly cat: string;
}

export class UserRoom implements Room {
  readonly #tools: UserRoomTools;
  #holder: Promise<ChildProcess> | undefined;

  constructor(tools: UserRoomTools) {
    this.#tools = tools;
  }

  async enter(): Promise<readonly string[]> {
    const { pid } = await this.#ensure();
    return [this.#tools.nsenter, '--target', String(pid), '--user', '--mount', '--preserve-credentials', '--'];
  }

  async run(command: readonly string[]): Promise<void> {
    await runCommand([...(await this.enter()), ...command]);
  }

  close(): void {
    this.#holder?.then((holder) => holder.kill()).catch(() => {});
    this.#holder = undefined;
  }

  #ensure(): Promise<ChildProcess> {
    this.#holder ??= this.#open();
    return this.#holder;
  }

  async #open(): Promise<ChildProcess> {
    const { unshare, cat } = this.#tools;
    const holder = spawn(unshare, ['--user', '--map-root-user', '--mount', '--propagation', 'slave', cat], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: {},
      cwd: '/',
    });
    holder.once('close', () => {
      this.#holder = undefined;
    });
    try {
      await heldOpen(holder);
    } catch (error) {
      this.#holder = undefined;
      throw error;
    }
    // It ends when its input does: with the agent.
    holder.unref();
    for (const stream of [holder.stdin, holder.stdout, holder.stderr]) (stream as { unref?: () => void }).unref?.();
    return holder;
  }
}

/** It answers once the namespaces are there: before that it is another program. */
async function heldOpen(holder: ReturnType<typeof spawn>): Promise<void> {
  let words = '';
  holder.stderr?.on('data', (chunk: Buffer) => {
    if (words.length < MAX_WORDS_BYTES) words += chunk.toString('utf8');
  });
  holder.stdin?.on('error', () => {});
  holder.stdin?.write('\n');
  await new Promise<void>((resolve, reject) => {
    holder.stdout?.once('data', () => resolve());
    holder.once('error', reject);
    holder.once('close', () => reject(new Error(words.trim() || 'no user namespace could be made')));
  });
}

async function runCommand(command: readonly string[]): Promise<void> {
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env: {}, cwd: '/' });
  let words = '';
  child.stderr.on('data', (chunk: Buffer) => {
    if (words.length < MAX_WORDS_BYTES) words += chunk.toString('utf8');
  });
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(words.trim() || `${program} failed`))));
  });
}

/** The one command that lets users make namespaces, where the system says why they may not. */
export function adviceForNamespaces(read: (file: string) => string = readSetting): string {
  const found = SETTINGS.find(({ name, forbidding }) => read(`/proc/sys/${name.replaceAll('.', '/')}`) === forbidding);
  return found === undefined
    ? 'run the agent as root'
    : `run, as root: sysctl -w ${found.name}=${found.permitting} (or the agent as root)`;
}

const SETTINGS = [
  { name: 'kernel.unprivileged_userns_clone', forbidding: '0', permitting: '1' },
  { name: 'kernel.apparmor_restrict_unprivileged_userns', forbidding: '1', permitting: '0' },
  { name: 'user.max_user_namespaces', forbidding: '0', permitting: '15000' },
];

function readSetting(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch {
    // This kernel does not have it.
    return '';
  }
}
