/** The supervisor as a whole: one directory, one socket, and the processes of one node. */
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join, resolve } from 'node:path';
import type { Clock, Logger } from '@skerry/base';
import { openCgroups } from './cgroup.ts';
import { EnvironmentStore } from './environments.ts';
import { FifoPool } from './fifo.ts';
import { readBootId } from './identity.ts';
import { Keeper } from './keeper.ts';
import { takeLock } from './lock.ts';
import { RecordStore } from './records.ts';
import { Runner } from './runs.ts';
import { SupervisorServer } from './server.ts';
import { withSocketPath } from './socket-path.ts';
import type { SelfCommand } from './tty.ts';

const SOCKET_NAME = 'supervisor.sock';

export interface SupervisorOptions {
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly self: SelfCommand;
  readonly bootIdFile?: string;
  /** Where control groups are mounted; a test points it elsewhere. */
  readonly cgroupRoot?: string;
}

export interface Supervisor {
  /** Resolves when an agent has asked it to end. */
  readonly ended: Promise<void>;
  /** Leaves every process running. */
  close(): void;
}

export async function startSupervisor(options: SupervisorOptions): Promise<Supervisor> {
  const directory = resolve(options.directory);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  chmodSync(directory, 0o700);
  const bootId = readBootId(options.bootIdFile);
  takeLock(join(directory, 'lock'), directory, bootId);
  const { clock, log, self } = options;
  const cgroups = openCgroups(options.cgroupRoot ?? '/sys/fs/cgroup', cgroupParent(directory));
  if (cgroups === undefined) log.warn({}, 'no control groups for this user: resource limits are not enforced');
  const records = new RecordStore(join(directory, 'processes'), new EnvironmentStore({ supervisor: directory }));
  const fifos = new FifoPool(join(directory, 'spare'));
  const shared = { records, fifos, cgroups, bootId, clock, self };
  const ended = Promise.withResolvers<void>();
  const keeper = new Keeper({ ...shared, log, onExit: (record) => server.onExit(record) });
  const server = new SupervisorServer({
    keeper,
    runner: new Runner({ ...shared, launchBeside: (id, command) => keeper.launchBeside(id, command) }),
    clock,
    log,
    bootId,
    cgroups: cgroups?.version,
    shutdown: () => ended.resolve(),
  });
  await fifos.fill();
  const stopListening = await listen(join(directory, SOCKET_NAME), (socket) => server.accept(socket));
  log.info({ directory, cgroups: cgroups?.version, running: keeper.running }, 'supervisor ready');
  return {
    ended: ended.promise,
    close: () => {
      stopListening();
      server.close();
      keeper.close();
      cgroups?.close();
      rmSync(join(directory, 'lock'), { force: true });
    },
  };
}

/** Two supervisors of one machine must not meet in one group: the name comes from the directory. */
function cgroupParent(directory: string): string {
  return `skerry/${createHash('sha256').update(directory).digest('hex').slice(0, 12)}`;
}

async function listen(path: string, accept: (socket: Socket) => void): Promise<() => void> {
  rmSync(path, { force: true });
  const server = createServer(accept);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    withSocketPath(path, (address) => server.listen({ path: address }, resolve));
  });
  chmodSync(path, 0o600);
  return () => server.close();
}
