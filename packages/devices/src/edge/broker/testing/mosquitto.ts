/** For tests: Debian's mosquitto on a port of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freePort } from '@skerry/testkit/processes';

export interface Mosquitto extends AsyncDisposable {
  readonly port: number;
  /** Stops it as a pulled plug would. */
  kill(): Promise<void>;
  /** What it keeps is on its disk: it writes that rarely, unless it is asked. Resolves once it is there. */
  save(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  /** It keeps its connections and says nothing, until `resume`. */
  pause(): void;
  resume(): void;
}

export async function openMosquitto({ isKept = false }: { readonly isKept?: boolean } = {}): Promise<Mosquitto> {
  const folder = await mkdtemp(join(tmpdir(), 'skerry-mosquitto-'));
  const port = await freePort();
  const file = join(folder, 'mosquitto.conf');
  const kept = join(folder, 'mosquitto.db');
  // As root it would change to a user who has no way into the folder.
  const persistence = isKept
    ? ['persistence true', `persistence_location ${folder}/`, 'user root']
    : ['persistence false'];
  const lines = [`listener ${port} 127.0.0.1`, 'allow_anonymous true', ...persistence];
  await writeFile(file, `${lines.join('\n')}\n`);
  let child = launch(file);
  const end = async () => {
    child.kill('SIGCONT');
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  };
  const start = async () => {
    if (child.exitCode !== null || child.signalCode !== null) child = launch(file);
    await eventually(`mosquitto on port ${port}`, () => isOpen(port));
  };
  await start();
  return {
    port,
    start,
    kill: end,
    save: async () => {
      const before = await inodeOf(kept);
      child.kill('SIGUSR1');
      await eventually('mosquitto has saved', async () => (await inodeOf(kept)) !== before);
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    [Symbol.asyncDispose]: async () => {
      await end();
      await rm(folder, { recursive: true });
    },
  };
}

/** Debian keeps it where only root's path looks. */
function launch(file: string) {
  const path = `${process.env['PATH'] ?? ''}:/usr/sbin`;
  return spawn('mosquitto', ['-c', file], { stdio: 'ignore', env: { ...process.env, PATH: path } });
}

/** Each time it is written it is another file. */
async function inodeOf(file: string): Promise<number | undefined> {
  return stat(file).then(
    ({ ino }) => ino,
    () => undefined,
  );
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
