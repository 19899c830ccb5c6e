/** The runtimes of this node: processes always, containers where a container runtime answers. The first one is the default. */
import { accessSync, constants, existsSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { type Clock, EDGE_HEAP_FLAGS, type Logger, messageOf } from '@skerry/base';
import { createProcessRuntime, ensureSupervisor, type ProcessRuntime, type Runtimes } from '@skerry/workloads/edge';
import { type EdgePaths, hiddenPaths } from './data-dir.ts';

/** A node with containers waits so long for a container runtime that comes up beside it, as after a reboot. */
const PATIENCE_MS = 30_000;
const FIRST_PATIENCE_MS = 3000;
const LOOK_MS = 100;

export interface RuntimesOptions {
  readonly paths: EdgePaths;
  /** The file that seals, or its directory. */
  readonly keys: string;
  readonly node: string;
  readonly nodeIps: () => readonly string[];
  /** The supervisor's bundle. */
  readonly supervisor: string;
  readonly containerdSocket: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface NodeRuntimes {
  readonly all: Runtimes;
  /** Ends what holds the pods, once nothing runs in them. */
  shutdown(): Promise<void>;
  close(): void;
}

export async function openRuntimes(options: RuntimesOptions): Promise<NodeRuntimes> {
  const containers = await openContainers(options);
  const processes = await openProcesses(options);
  const opened = containers === undefined ? [processes] : [containers, processes];
  return {
    all: containers === undefined ? [processes] : [containers, processes],
    shutdown: async () => {
      for (const runtime of opened) await runtime.shutdown();
    },
    close: () => {
      for (const runtime of opened) runtime.close();
    },
  };
}

function openProcesses({
  paths,
  keys,
  node,
  nodeIps,
  supervisor,
  clock,
  log,
}: RuntimesOptions): Promise<ProcessRuntime> {
  const { uid, gid } = userInfo();
  const command = [process.execPath, ...EDGE_HEAP_FLAGS, supervisor];
  return createProcessRuntime({
    connect: (onExit) => ensureSupervisor({ directory: paths.supervisor, agent: node, onExit, clock, command }),
    directory: paths.runtime,
    clock,
    log,
    agent: { uid, gid, groups: process.getgroups?.() ?? [] },
    nodeIps,
    hidden: hiddenPaths(paths, keys),
  });
}

/** Undefined where there is no socket, or nobody answers at it in time. The code is loaded only where there is one. */
async function openContainers(options: RuntimesOptions) {
  const { paths, node, nodeIps, containerdSocket: socket, clock, log } = options;
  const hadContainers = join(paths.runtime, 'had-containers');
  const patienceMs = existsSync(hadContainers) ? PATIENCE_MS : FIRST_PATIENCE_MS;
  try {
    if (!(await isOpenInTime(socket, patienceMs, clock))) return undefined;
    const { createCriRuntime } = await import('@skerry/workloads/edge/cri');
    const directory = paths.runtime;
    const runtime = await createCriRuntime({ socket, nodeName: node, directory, patienceMs, clock, log, nodeIps });
    writeFileSync(hadContainers, '');
    return runtime;
  } catch (error) {
    log.warn({ socket, error: messageOf(error) }, 'container runtime does not answer; this node runs processes only');
    return undefined;
  }
}

/** A node that never had containers does not wait for what may not be there at all. */
async function isOpenInTime(socket: string, patienceMs: number, clock: Clock): Promise<boolean> {
  const deadline = clock.monotonic() + (patienceMs > FIRST_PATIENCE_MS ? patienceMs : 0);
  while (!isOpenToUs(socket)) {
    if (clock.monotonic() >= deadline) return false;
    await clock.sleep(LOOK_MS);
  }
  return true;
}

/** A container runtime lets root in and, mostly, nobody else. */
function isOpenToUs(socket: string): boolean {
  try {
    accessSync(socket, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
