/** Engines of Debian's, each with a directory, ports and a process of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, freePort } from '@skerry/testkit/processes';
import { guardedReach, parseAllowedTargets, type Reach } from '../reach.ts';

/** As the cloud reaches engines of its own machine. */
export const loopback: Reach = guardedReach({ allowed: parseAllowedTargets('127.0.0.1'), ownAddresses: () => [] });

export interface Engine extends AsyncDisposable {
  readonly port: number;
  /** A second port, of those that have two. */
  readonly otherPort: number;
  readonly directory: string;
  /** Starts it again, on what it had. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

interface Place {
  readonly directory: string;
  readonly port: number;
  readonly otherPort: number;
}

interface Owner {
  readonly uid: number;
  readonly gid: number;
}

interface EngineSpec {
  readonly command: (place: Place) => readonly [string, ...string[]];
  readonly prepare?: (place: Place) => void;
  readonly owner?: Owner;
  readonly stopSignal?: NodeJS.Signals;
  /** It listens before it can do its work. */
  readonly isReady?: (place: Place) => Promise<boolean>;
}

const STOP_PATIENCE = { timeoutMs: 20_000 };

async function start({ command, prepare, owner, isReady, stopSignal = 'SIGTERM' }: EngineSpec): Promise<Engine> {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-engine-'));
  const place: Place = { directory, port: await freePort(), otherPort: await freePort() };
  if (owner !== undefined) chownSync(directory, owner.uid, owner.gid);
  else chmodSync(directory, 0o755);
  prepare?.(place);
  let running: ChildProcess | undefined;
  const restart = async (): Promise<void> => {
    const [program, ...args] = command(place);
    const child = spawn(program, args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'], ...owner });
    running = child;
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + String(chunk)).slice(-4000);
    });
    await eventually(`${program} listens`, async () => {
      if (child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode}: ${said}`);
      return (await listens(place.port)) && ((await isReady?.(place)) ?? true);
    });
  };
  const stop = async (): Promise<void> => {
    if (running === undefined || running.exitCode !== null) return;
    const ended = once(running, 'exit');
    running.kill(stopSignal);
    const killing = setTimeout(() => running?.kill('SIGKILL'), STOP_PATIENCE.timeoutMs);
    await ended;
    clearTimeout(killing);
    running = undefined;
  };
  await restart();
  return {
    ...place,
    restart,
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const answer = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.once('connect', () => answer(true)).once('error', () => answer(false));
  });
}

export const startVictoriaMetrics = (): Promise<Engine> =>
  start({
    command: ({ directory, port }) => [
      'victoria-metrics',
      `-storageDataPath=${directory}/data`,
      `-httpListenAddr=127.0.0.1:${port}`,
      '-memory.allowedPercent=5',
      '-retentionPeriod=100y',
    ],
  });

export const startPrometheus = (): Promise<Engine> =>
  start({
    prepare: ({ directory }) => writeFileSync(join(directory, 'prometheus.yml'), 'global: {}\n'),
    command: ({ directory, port }) => [
      'prometheus',
      `--config.file=${directory}/prometheus.yml`,
      `--storage.tsdb.path=${directory}/data`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--web.enable-remote-write-receiver',
      '--log.level=error',
    ],
    isReady: async ({ port }) => (await fetch(`http://127.0.0.1:${port}/-/ready`)).ok,
  });

export const startInfluxDb = (): Promise<Engine> =>
  start({
    prepare: ({ directory, port, otherPort }) =>
      writeFileSync(
        join(directory, 'influxdb.conf'),
        `reporting-disabled = true
bind-address = "127.0.0.1:${otherPort}"
[meta]
dir = "${directory}/meta"
[data]
dir = "${directory}/data"
wal-dir = "${directory}/wal"
[http]
bind-address = "127.0.0.1:${port}"
`,
      ),
    command: ({ directory }) => ['influxd', '-config', `${directory}/influxdb.conf`],
  });

export const startCarbon = (): Promise<Engine> =>
  start({
    prepare: ({ directory, port, otherPort }) => {
      mkdirSync(join(directory, 'whisper'));
      writeFileSync(
        join(directory, 'carbon.conf'),
        `[cache]
STORAGE_DIR = ${directory}
CONF_DIR = ${directory}
LOG_DIR = ${directory}
PID_DIR = ${directory}
LOCAL_DATA_DIR = ${directory}/whisper/
LINE_RECEIVER_INTERFACE = 127.0.0.1
LINE_RECEIVER_PORT = ${port}
PICKLE_RECEIVER_INTERFACE = 127.0.0.1
PICKLE_RECEIVER_PORT = 0
CACHE_QUERY_INTERFACE = 127.0.0.1
CACHE_QUERY_PORT = ${otherPort}
MAX_CREATES_PER_MINUTE = inf
MAX_UPDATES_PER_SECOND = inf
`,
      );
      writeFileSync(join(directory, 'storage-schemas.conf'), '[all]\npattern = .*\nretentions = 1s:1h\n');
    },
    command: ({ directory }) => ['carbon-cache', `--config=${directory}/carbon.conf`, '--nodaemon', 'start'],
  });

export const startNats = (): Promise<Engine> =>
  start({
    command: ({ directory, port }) => [
      'nats-server',
      '--addr=127.0.0.1',
      `--port=${port}`,
      '--jetstream',
      `--store_dir=${directory}/data`,
    ],
  });

export const startMosquitto = (): Promise<Engine> =>
  start({
    prepare: ({ directory, port }) =>
      writeFileSync(join(directory, 'mosquitto.conf'), `listener ${port} 127.0.0.1\nallow_anonymous true\nuser root\n`),
    command: ({ directory }) => ['mosquitto', '-c', `${directory}/mosquitto.conf`],
  });

/** It refuses to be root: the user that the package made is its own. */
export function startPostgres(): Promise<Engine> {
  const owner = userOf('postgres');
  const [bin = ''] = globSync('/usr/lib/postgresql/*/bin').sort().reverse();
  return start({
    owner,
    // At SIGTERM it would wait for whoever is connected.
    stopSignal: 'SIGINT',
    prepare: ({ directory, port }) => {
      const data = join(directory, 'data');
      const made = spawnSync(join(bin, 'initdb'), ['-D', data, '-U', 'skerry', '-A', 'trust', '--no-sync'], owner);
      if (made.status !== 0) throw new Error(`initdb: ${made.stderr}`);
      const settings = `listen_addresses = '127.0.0.1'\nport = ${port}\nunix_socket_directories = '${directory}'\nfsync = off\n`;
      writeFileSync(join(data, 'postgresql.auto.conf'), settings);
    },
    command: ({ directory }) => [join(bin, 'postgres'), '-D', join(directory, 'data')],
  });
}

function userOf(name: string): Owner {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`));
  const [, , uid, gid] = line?.split(':') ?? [];
  if (uid === undefined || gid === undefined) throw new Error(`there is no user ${name}`);
  return { uid: Number(uid), gid: Number(gid) };
}
