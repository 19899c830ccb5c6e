/**
 * Runtime `process`: `image: host` runs a program of the node, in a mount namespace of its own, under a uid of its own; any other
 * image runs in a root file system of its own.
 */
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { type Clock, hasCode, type Logger, messageOf, newUid } from '@skerry/base';
import type { ProcessRecord, StartRequest } from '../../supervisor/protocol.ts';
import { HOSTS_FILE, makeEtcHosts } from '../pod/etc-hosts.ts';
import type { Pod } from '../pod/types.ts';
import { limitsOf } from '../quantity.ts';
import {
  type ContainerLabels,
  type ContainerSnapshot,
  type PodRuntime,
  type ReadyMount,
  RuntimeRefusal,
  type StartContainer,
} from '../runtime.ts';
import { type DnsSettings, parseResolvConf } from '../services/dns-settings.ts';
import { makeResolvConf, removeResolvConf } from '../services/resolv-conf-file.ts';
import type { PodNetwork } from '../services/service-network.ts';
import type { SupervisorClient } from '../supervisor-client.ts';
import { DEFAULT_PATH, type Tools } from './command.ts';
import { hostLaunchOf, isMounted, type Launch } from './host-launch.ts';
import type { ImageContainers, ImagesOptions } from './image/image-containers.ts';
import type { AgentIdentity } from './privileges.ts';
import { makeTerminationPoint } from './root-view.ts';
import { openLink } from './supervisor-link.ts';
import { UidRange } from './uid-range.ts';

export const HOST_IMAGE = 'host';
const LOG_MAX_BYTES = 10 * 1024 * 1024;
const LOG_MAX_FILES = 5;
const MAX_EXEC_OUTPUT_BYTES = 16 * 1024;
const DEFAULT_TERMINATION_LOG = '/dev/termination-log';
/** Kept with the process: which image it is of, and how it wants to be asked to end. */
const IMAGE_LABEL = 'image';
const STOP_SIGNAL_LABEL = 'stopSignal';

export interface ProcessRuntimeOptions {
  /** Connects to the supervisor, starting it where none runs; called again when the connection breaks. */
  readonly connect: (onExit: (record: ProcessRecord) => void) => Promise<SupervisorClient>;
  /** Holds the table of uids, and what is made for pods. */
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly agent: AgentIdentity;
  readonly nodeIps: () => readonly string[];
  /** Whom pods ask for names; absent: whom the host asks. */
  readonly network?: Pick<PodNetwork, 'dnsOf' | 'hostsOf'>;
  /** Asked when the first image is wanted. Absent: this node runs programs of its own only. */
  readonly images?: () => Promise<ImagesOptions>;
  /** Directories and files that no container may see. */
  readonly hidden?: readonly string[];
  /** Default: found on the usual path. */
  readonly tools?: Tools;
  readonly logMaxBytes?: number;
  readonly logMaxFiles?: number;
}

export interface ProcessRuntime extends PodRuntime {
  /** False names a node where pods with volumes fail. */
  readonly hasSandbox: boolean;
  /** Ends the supervisor, once nothing runs. */
  shutdown(): Promise<void>;
  close(): void;
}

export function findTools(): Tools {
  const [bwrap, setpriv] = [findProgram('bwrap'), findProgram('setpriv')];
  return {
    env: findProgram('env') ?? '/usr/bin/env',
    ...(bwrap === undefined ? {} : { bwrap }),
    ...(setpriv === undefined ? {} : { setpriv }),
  };
}

function findProgram(name: string): string | undefined {
  return DEFAULT_PATH.split(delimiter)
    .map((at) => join(at, name))
    .find(isExecutable);
}

export async function createProcessRuntime(options: ProcessRuntimeOptions): Promise<ProcessRuntime> {
  mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  const tools = options.tools ?? findTools();
  makeTerminationPoint(DEFAULT_TERMINATION_LOG);
  const uids = new UidRange(join(options.directory, 'uids.json'), options.log);
  const { agent } = options;
  const ownUid = (pod: Pod) => (agent.uid === 0 ? uids.take(pod.metadata.uid ?? '') : agent.uid);
  const { hidden = [] } = options;
  const images = lateImages(options, tools);
  const listeners = new Set<(snapshot: ContainerSnapshot) => void>();
  const tell = (record: ProcessRecord): ContainerSnapshot => {
    const snapshot = snapshotOf(record);
    for (const listener of listeners) listener(snapshot);
    return snapshot;
  };
  const link = await openLink(options, tell);
  return {
    name: 'process',
    version: 'process://1',
    hasSandbox: tools.bwrap !== undefined,
    ownerOf: (pod) => (agent.uid === 0 ? podOwner(pod, ownUid(pod)) : undefined),
    preparePod: async () => ({ podIPs: options.nodeIps() }),
    removePod: async (uid) => {
      uids.release(uid);
      await removeResolvConf(options.directory, uid);
    },
    findImage: async (image) => {
      if (image === HOST_IMAGE) return { imageId: HOST_IMAGE, imageRef: HOST_IMAGE };
      return await (await images.open(image)).find(image);
    },
    pullImage: async (task) => {
      return await (await images.open(task.image)).pull(task);
    },
    images: async () => (await images.ifAny())?.list() ?? [],
    start: async (request) => {
      const id = newUid().replaceAll('-', '');
      const isHost = request.imageRef === HOST_IMAGE;
      const mounts = tools.bwrap === undefined ? request.mounts : await mountsOf(request, isHost, options);
      const launch = isHost
        ? hostLaunchOf(request, { agent, tools, mounts, hidden, ownUid: ownUid(request.pod) })
        : await (await images.open(request.imageRef)).prepare(id, request, mounts);
      try {
        return tell(await link.client().start(startRequestOf(id, request, launch, options)));
      } catch (error) {
        // After any other failure it may run all the same, in its root.
        if (!hasCode(error, 'SUPERVISOR_START_FAILED')) throw error;
        (await images.ifAny())?.remove(id);
        throw new RuntimeRefusal('StartError', messageOf(error), { cause: error });
      }
    },
    sweep: async () => {
      const records = await link.client().list();
      await (await images.ifAny())?.sweep(new Set(records.map(({ id }) => id)), imagesOf(records));
    },
    imageDirectory: async () => (existsSync(images.directory) ? images.directory : undefined),
    reclaimImages: async () => (await images.ifAny())?.reclaim(imagesOf(await link.client().list())),
    list: async () => (await link.client().list()).map(snapshotOf),
    onChange: (listener) => {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    terminate: async (id, signal) => {
      const wanted = signal ?? stopSignalOf((await link.client().list()).find((record) => record.id === id));
      await link.client().signal(id, wanted as NodeJS.Signals);
    },
    kill: async (id) => snapshotOf(await link.client().kill(id)),
    remove: async (id) => {
      await link.client().remove(id);
      (await images.ifAny())?.remove(id);
    },
    execSync: (id, command, timeoutMs) =>
      link.client().run(id, command, { timeoutMs, maxOutputBytes: MAX_EXEC_OUTPUT_BYTES }),
    exec: (id, request) => link.client().exec(id, request),
    attach: (id) => link.client().attach(id),
    resize: (id, _pod, { resources }) => link.client().limit(id, limitsOf(resources)),
    usage: async () => {
      const usages = await link.client().usage();
      return (await (await images.ifAny())?.withDisk(usages)) ?? usages;
    },
    shutdown: async () => {
      await link.shutdown();
      await images.clear();
    },
    close: () => link.close(),
  };
}

function imagesOf(records: readonly ProcessRecord[]): ReadonlySet<string> {
  return new Set(records.map(({ labels }) => labels[IMAGE_LABEL] ?? HOST_IMAGE));
}

interface LateImages {
  readonly directory: string;
  /** Throws RuntimeRefusal where images cannot run. */
  open(image: string): Promise<ImageContainers>;
  /** Undefined where there has never been an image. */
  ifAny(): Promise<ImageContainers | undefined>;
  /** Once nothing runs. */
  clear(): Promise<void>;
}

/** A node without images pays nothing for them: their code is loaded, and their store opened, when the first one is wanted. */
function lateImages(options: ProcessRuntimeOptions, tools: Tools): LateImages {
  const { agent, clock, log } = options;
  const directory = join(options.directory, 'images');
  const own: Readonly<Record<string, string | undefined>> = { bwrap: tools.bwrap, setpriv: tools.setpriv };
  const find = (name: string) => (name in own ? own[name] : findProgram(name));
  let opened: Promise<ImageContainers> | undefined;
  const open = async (image: string): Promise<ImageContainers> => {
    if (options.images === undefined) throw noImages(image);
    const { ImageContainers: Containers } = await import('./image/image-containers.ts');
    return new Containers({ ...(await options.images()), directory, agent, find, clock, log });
  };
  const ensure = (image: string): Promise<ImageContainers> => {
    opened ??= open(image).catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
  return {
    directory,
    open: ensure,
    ifAny: async () => (options.images === undefined || !existsSync(directory) ? undefined : await ensure('')),
    clear: async () => {
      if (opened !== undefined) await (await opened).clear();
    },
  };
}

/** What every container gets beside its volumes: names, and a place for its last words. Without bubblewrap, nothing can be mounted. */
async function mountsOf(
  request: StartContainer,
  isHost: boolean,
  { directory, network, nodeIps }: ProcessRuntimeOptions,
): Promise<readonly ReadyMount[]> {
  const { pod, container, mounts, terminationLog } = request;
  const { uid = '' } = pod.metadata;
  const hasAliases = (pod.spec.hostAliases ?? []).length > 0;
  const names = isHost || !hasAliases ? network?.hostsOf(pod) : undefined;
  const isHostsFileOwn = hasAliases || (!isHost && names === undefined);
  const base = isHost ? (names?.hostPath ?? HOSTS_FILE) : undefined;
  const settings = network?.dnsOf(pod) ?? (isHost ? undefined : await hostDns());
  const more = [
    ...(settings === undefined ? [] : [await makeResolvConf(directory, uid, settings)]),
    ...(names === undefined || isHostsFileOwn ? [] : [names]),
    ...(isHostsFileOwn ? [await makeEtcHosts(directory, pod, nodeIps(), base)] : []),
  ];
  const last = container.terminationMessagePath ?? DEFAULT_TERMINATION_LOG;
  if (terminationLog !== undefined) more.push({ hostPath: terminationLog, mountPath: last, readOnly: false });
  return [...mounts, ...more.filter(({ mountPath }) => !isMounted(mountPath, mounts))];
}

/** An image has no resolv.conf of its own that would be of use. */
async function hostDns(): Promise<DnsSettings> {
  return parseResolvConf(await readFile('/etc/resolv.conf', 'utf8').catch(() => ''));
}

function startRequestOf(
  id: string,
  request: StartContainer,
  launch: Launch & { readonly stopSignal?: string },
  { logMaxBytes = LOG_MAX_BYTES, logMaxFiles = LOG_MAX_FILES }: ProcessRuntimeOptions,
): StartRequest {
  const { container } = request;
  const { stopSignal, ...how } = launch;
  return {
    id,
    labels: {
      ...encodeLabels(labelsOf(request)),
      [IMAGE_LABEL]: request.imageRef,
      ...(stopSignal === undefined ? {} : { [STOP_SIGNAL_LABEL]: stopSignal }),
    },
    log: { path: request.logPath, maxBytes: logMaxBytes, maxFiles: logMaxFiles },
    limits: limitsOf(container.resources),
    ...how,
    ...(container.stdin ? { stdin: true } : {}),
    ...(container.stdinOnce ? { stdinOnce: true } : {}),
    ...(container.tty ? { tty: true } : {}),
  };
}

function noImages(image: string): RuntimeRefusal {
  const message =
    `image "${image}" cannot run here: this agent runs programs of the node only (image: ${HOST_IMAGE}); ` +
    'use a node with containerd (runtime.skerry.io/containerd=true)';
  return new RuntimeRefusal('ErrImagePull', message);
}

/** Who the pod's containers are when all are the same; files for several users stay readable to all. */
function podOwner(pod: Pod, ownUid: number): { uid: number; gid: number } | undefined {
  const shared = pod.spec.securityContext;
  const uids = new Set(
    pod.spec.containers.map(({ securityContext, image }) => {
      // An image may have a user of its own, which is known only once it is here.
      return securityContext?.runAsUser ?? shared?.runAsUser ?? (image === HOST_IMAGE ? ownUid : undefined);
    }),
  );
  const [uid] = uids;
  return uids.size === 1 && uid !== undefined ? { uid, gid: shared?.runAsGroup ?? uid } : undefined;
}

/** The image's own signal counts where the pod names none. */
function stopSignalOf(record: ProcessRecord | undefined): string {
  return record?.labels[STOP_SIGNAL_LABEL] ?? 'SIGTERM';
}

function labelsOf({ pod, container, attempt, hash }: StartContainer): ContainerLabels {
  const { namespace = '', name = '', uid = '' } = pod.metadata;
  const graceSeconds = pod.spec.terminationGracePeriodSeconds ?? 30;
  return { namespace, pod: name, uid, container: container.name, attempt, graceSeconds, hash };
}

function encodeLabels(labels: ContainerLabels): Record<string, string> {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, String(value)]));
}

function snapshotOf(record: ProcessRecord): ContainerSnapshot {
  const { labels } = record;
  return {
    id: record.id,
    labels: {
      namespace: labels['namespace'] ?? '',
      pod: labels['pod'] ?? '',
      uid: labels['uid'] ?? '',
      container: labels['container'] ?? '',
      attempt: Number(labels['attempt'] ?? 0),
      graceSeconds: Number(labels['graceSeconds'] ?? 30),
      hash: labels['hash'] ?? '',
    },
    logPath: record.log.path,
    startedAt: record.startedAt,
    pid: record.main.pid,
    ...(record.exit === undefined ? {} : { exit: record.exit }),
  };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
