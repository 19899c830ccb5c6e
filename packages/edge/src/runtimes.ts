/** The runtimes of this node: processes always, containers as soon as a container runtime answers, which then is the default. */
import { accessSync, constants, existsSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { type Clock, EDGE_HEAP_FLAGS, type Logger, messageOf } from '@skerry/base';
import {
  createProcessRuntime,
  createRuntimeSet,
  ensureSupervisor,
  type PodNetwork,
  type ProcessRuntime,
  type RuntimeSet,
} from '@skerry/workloads/edge';
import type { CriRuntime } from '@skerry/workloads/edge/cri';
import type { ImageSource } from '@skerry/workloads/images';
import { type EdgePaths, hiddenPaths } from './data-dir.ts';

/** A node with containers waits so long for a container runtime that comes up beside it, as after a reboot, before it says that it is well. */
const PATIENCE_MS = 30_000;
const FIRST_PATIENCE_MS = 3000;
const LOOK_MS = 100;
/** Later on. */
const LATE_LOOK_MS = 2000;

export interface RuntimesOptions {
  readonly paths: EdgePaths;
  /** The file that seals, or its directory. */
  readonly keys: string;
  readonly node: string;
  readonly nodeIps: () => readonly string[];
  readonly network: PodNetwork;
  /** The supervisor's bundle. */
  readonly supervisor: string;
  /** The bundle of the process that unpacks images. */
  readonly unpack: string;
  readonly imageSource: () => Promise<ImageSource>;
  readonly containerdSocket: string;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface NodeRuntimes {
  readonly set: RuntimeSet;
  /** Takes in a container runtime that comes late, until `signal` aborts. */
  follow(signal: AbortSignal): Promise<void>;
  /** Ends what holds the pods, once nothing runs in them. */
  shutdown(): Promise<void>;
  close(): void;
}

export async function openRuntimes(options: RuntimesOptions): Promise<NodeRuntimes> {
  const processes = await openProcesses(options);
  const set = createRuntimeSet(processes);
  let containers: CriRuntime | undefined;
  const take = (runtime: CriRuntime | undefined): void => {
    containers = runtime;
    if (runtime !== undefined) set.add(runtime);
  };
  take(await openContainersInTime(options));
  if (containers === undefined && isOpenToUs(options.containerdSocket)) {
    options.log.warn(
      { socket: options.containerdSocket },
      'container runtime does not answer; this node runs processes until it does',
    );
  }
  return {
    set,
    follow: async (signal) => {
      while (containers === undefined && !signal.aborted) {
        await options.clock.sleep(LATE_LOOK_MS, signal).catch(() => {});
        if (signal.aborted || !isOpenToUs(options.containerdSocket)) continue;
        const late = await openContainers(options, LATE_LOOK_MS);
        if (signal.aborted) late?.close();
        else take(late);
      }
    },
    shutdown: async () => {
      await containers?.shutdown();
      await processes.shutdown();
    },
    close: () => {
      containers?.close();
      processes.close();
    },
  };
}

function openProcesses({
  paths,
  keys,
  node,
  nodeIps,
  network,
  supervisor,
  unpack,
  imageSource,
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
    network,
    images: async () => {
      const { openImageStore } = await import('@skerry/workloads/images');
      const store = await openImageStore(paths.images, { clock, log });
      return { store, source: await imageSource(), unpack: [process.execPath, ...EDGE_HEAP_FLAGS, unpack] };
    },
    hidden: hiddenPaths(paths, keys),
  });
}

/** A node that never had containers does not wait for what may not be there at all. */
async function openContainersInTime(options: RuntimesOptions): Promise<CriRuntime | undefined> {
  const { paths, containerdSocket: socket, clock } = options;
  const hadContainers = existsSync(hadContainersFile(paths));
  const deadline = clock.monotonic() + (hadContainers ? PATIENCE_MS : 0);
  while (!isOpenToUs(socket)) {
    if (clock.monotonic() >= deadline) return undefined;
    await clock.sleep(LOOK_MS);
  }
  return openContainers(options, hadContainers ? PATIENCE_MS : FIRST_PATIENCE_MS);
}

/** Undefined where nobody answers in time. The code is loaded only where there is somebody to ask. */
async function openContainers(options: RuntimesOptions, patienceMs: number): Promise<CriRuntime | undefined> {
  const { paths, node, nodeIps, network, imageSource, containerdSocket: socket, clock, log } = options;
  try {
    const { createCriRuntime } = await import('@skerry/workloads/edge/cri');
    const directory = paths.runtime;
    const shared = { nodeName: node, nodeIps, network, imageSource, clock, log };
    const runtime = await createCriRuntime({ ...shared, socket, directory, patienceMs });
    writeFileSync(hadContainersFile(paths), '');
    return runtime;
  } catch (error) {
    log.debug({ socket, error: messageOf(error) }, 'container runtime does not answer yet');
    return undefined;
  }
}

function hadContainersFile({ runtime }: EdgePaths): string {
  return join(runtime, 'had-containers');
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
