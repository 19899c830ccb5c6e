/**
 * How a container gets a place of its own: words before a command, which then runs in a new mount namespace. Whoever is not root gets
 * a user namespace with it, in which they are.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

const MAX_WORDS_BYTES = 4096;
/** What is mounted on the node later is seen, what is mounted in there stays in there. */
const MOUNTS = ['--mount', '--propagation', 'slave'];
const AS_ROOT = ['--user', '--map-root-user'];

export function roomWords(unshare: string, isUser: boolean): readonly string[] {
  return [unshare, ...(isUser ? AS_ROOT : []), ...MOUNTS, '--'];
}

/** Throws with what the command printed when it fails. Nothing of our environment gets there. */
export async function runProgram(command: readonly string[]): Promise<void> {
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
