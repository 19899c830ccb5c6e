/** Runtime `process`: `image: host` runs a program of the node, in a mount namespace of its own, under a uid of its own. */
import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Clock, hasCode, type Logger, messageOf, newUid } from '@skerry/base';
import type { ProcessRecord, StartRequest } from '../../supervisor/protocol.ts';
import type { Container, Pod } from '../pod/types.ts';
import { limitsOf } from '../quantity.ts';
import {
  type ContainerLabels,
  type ContainerSnapshot,
  type PodRuntime,
  type ReadyMount,
  RuntimeRefusal,
  type StartContainer,
} from '../runtime.ts';
import { makeResolvConf, removeResolvConf } from '../services/resolv-conf-file.ts';
import type { PodNetwork } from '../services/service-network.ts';
import type { SupervisorClient } from '../supervisor-client.ts';
import { DEFAULT_PATH, invocationOf, type Tools } from './command.ts';
import { type AgentIdentity, type Privileges, resolvePrivileges } from './privileges.ts';
import { hostRoot, makeTerminationPoint } from './root-view.ts';
import { sandboxOptions } from './sandbox.ts';
import { openLink } from './supervisor-link.ts';
import { UidRange } from './uid-range.ts';

export const HOST_IMAGE = 'host';
const LOG_MAX_BYTES = 10 * 1024 * 1024;
const LOG_MAX_FILES = 5;
const MAX_EXEC_OUTPUT_BYTES = 16 * 1024;
const DEFAULT_TERMINATION_LOG = '/dev/termination-log';

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
  readonly network?: Pick<PodNetwork, 'dnsOf'>;
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

export function findTools(path: string = DEFAULT_PATH): Tools {
  const find = (name: string) =>
    path
      .split(delimiter)
      .map((at) => join(at, name))
      .find(isExecutable);
  const [bwrap, setpriv] = [find('bwrap'), find('setpriv')];
  return {
    env: find('env') ?? '/usr/bin/env',
    ...(bwrap === undefined ? {} : { bwrap }),
    ...(setpriv === undefined ? {} : { setpriv }),
  };
}

export async function createProcessRuntime(options: ProcessRuntimeOptions): Promise<ProcessRuntime> {
  mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  const tools = options.tools ?? findTools();
  makeTerminationPoint(DEFAULT_TERMINATION_LOG);
  const uids = new UidRange(join(options.directory, 'uids.json'), options.log);
  const { agent } = options;
  const ownUid = (pod: Pod) => (agent.uid === 0 ? uids.take(pod.metadata.uid ?? '') : agent.uid);
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
      if (image !== HOST_IMAGE) throw unsupportedImage(image);
      return { imageId: HOST_IMAGE, imageRef: HOST_IMAGE };
    },
    pullImage: async ({ image }) => {
      throw unsupportedImage(image);
    },
    start: async (request) => {
      const named = await withResolvConf(request, tools, options);
      const spec = startRequestOf(named, ownUid(request.pod), tools, options);
      try {
        return tell(await link.client().start(spec));
      } catch (error) {
        if (!hasCode(error, 'SUPERVISOR_START_FAILED')) throw error;
        throw new RuntimeRefusal('StartError', messageOf(error), { cause: error });
      }
    },
    list: async () => (await link.client().list()).map(snapshotOf),
    onChange: (listener) => {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
    terminate: (id, signal = 'SIGTERM') => link.client().signal(id, signal as NodeJS.Signals),
    kill: async (id) => snapshotOf(await link.client().kill(id)),
    remove: (id) => link.client().remove(id),
    execSync: (id, command, timeoutMs) =>
      link.client().run(id, command, { timeoutMs, maxOutputBytes: MAX_EXEC_OUTPUT_BYTES }),
    exec: (id, request) => link.client().exec(id, request),
    attach: (id) => link.client().attach(id),
    usage: () => link.client().usage(),
    shutdown: () => link.client().shutdown(),
    close: () => link.close(),
  };
}

/** Without bubblewrap a container sees the host's own file, which may not be touched. */
async function withResolvConf(
  request: StartContainer,
  { bwrap }: Tools,
  { directory, network }: ProcessRuntimeOptions,
): Promise<StartContainer> {
  const settings = network?.dnsOf(request.pod);
  if (settings === undefined || bwrap === undefined) return request;
  const mount = await makeResolvConf(directory, request.pod.metadata.uid ?? '', settings);
  if (isMounted(mount.mountPath, request.mounts)) return request;
  return { ...request, mounts: [...request.mounts, mount] };
}

function startRequestOf(
  request: StartContainer,
  ownUid: number,
  tools: Tools,
  options: ProcessRuntimeOptions,
): StartRequest {
  const { pod, container } = request;
  const privileges = resolvePrivileges(pod, container, options.agent, ownUid);
  const mounts = withTerminationLog(request);
  const env = withDefaults(request.env, pod, privileges);
  const command = [...request.command, ...request.args];
  refuseMissingProgram(command[0], env['PATH'] ?? DEFAULT_PATH, mounts);
  return {
    id: newUid().replaceAll('-', ''),
    labels: encodeLabels(labelsOf(request)),
    log: {
      path: request.logPath,
      maxBytes: options.logMaxBytes ?? LOG_MAX_BYTES,
      maxFiles: options.logMaxFiles ?? LOG_MAX_FILES,
    },
    limits: limitsOf(container.resources),
    owner: { uid: privileges.uid, gid: privileges.gid },
    ...surroundingsOf(request, mounts, privileges, tools, options.hidden ?? []),
    ...invocationOf(command, env, privileges, options.agent, tools),
    ...(container.stdin ? { stdin: true } : {}),
    ...(container.stdinOnce ? { stdinOnce: true } : {}),
    ...(container.tty ? { tty: true } : {}),
  };
}

/** A mount namespace where there is bubblewrap; without it, only what needs none. */
function surroundingsOf(
  { pod, container }: StartContainer,
  mounts: readonly ReadyMount[],
  privileges: Privileges,
  { bwrap }: Tools,
  hidden: readonly string[],
): Pick<StartRequest, 'sandbox' | 'cwd'> {
  const workingDirectory = container.workingDir ?? '/';
  if (bwrap === undefined) {
    refuseWithoutSandbox(container, privileges);
    return { cwd: workingDirectory };
  }
  const hostname = pod.spec.hostNetwork === true ? {} : { hostname: hostnameOf(pod) };
  const { readOnlyRoot } = privileges;
  const sandbox = sandboxOptions({ mounts, readOnlyRoot, hidden, workingDirectory, ...hostname }, hostRoot);
  return { sandbox: [bwrap, ...sandbox] };
}

function refuseWithoutSandbox(container: Container, { readOnlyRoot }: Privileges): void {
  const needs =
    (container.volumeMounts?.length ?? 0) > 0 ? 'volume mounts' : readOnlyRoot ? 'readOnlyRootFilesystem' : '';
  if (needs === '') return;
  throw new RuntimeRefusal(
    'CreateContainerConfigError',
    `${needs} of container ${container.name} need bubblewrap, which this node lacks: apt-get install bubblewrap`,
  );
}

function unsupportedImage(image: string): RuntimeRefusal {
  const message =
    `image "${image}" cannot run on runtime process, which runs programs of the node (image: ${HOST_IMAGE}); ` +
    'use a node with containerd (runtime.skerry.io/containerd=true)';
  return new RuntimeRefusal('ErrImagePull', message);
}

/** A clear word before the start, as container runtimes give it. What a volume may bring is left to the start itself. */
function refuseMissingProgram(program: string | undefined, path: string, mounts: readonly ReadyMount[]): void {
  if (program === undefined) {
    throw new RuntimeRefusal(
      'CreateContainerConfigError',
      `image ${HOST_IMAGE} has no program of its own: set command`,
    );
  }
  if (!program.includes('/')) {
    if (path.split(delimiter).some((directory) => existsSync(join(directory, program)) || isMounted(directory, mounts)))
      return;
    throw new RuntimeRefusal('StartError', `exec: "${program}": executable file not found in $PATH`);
  }
  if (!program.startsWith('/') || isMounted(program, mounts) || existsSync(program)) return;
  throw new RuntimeRefusal('StartError', `exec: "${program}": no such file or directory`);
}

function isMounted(path: string, mounts: readonly ReadyMount[]): boolean {
  return mounts.some(({ mountPath }) => path === mountPath || path.startsWith(`${mountPath}/`));
}

/** The container finds the file for its last words where its spec says; without bubblewrap it has none. */
function withTerminationLog({ container, mounts, terminationLog }: StartContainer): readonly ReadyMount[] {
  if (terminationLog === undefined) return mounts;
  const mountPath = container.terminationMessagePath ?? DEFAULT_TERMINATION_LOG;
  return [...mounts, { hostPath: terminationLog, mountPath, readOnly: false }];
}

function withDefaults(
  env: Readonly<Record<string, string>>,
  pod: Pod,
  { uid }: Privileges,
): Readonly<Record<string, string>> {
  return { PATH: DEFAULT_PATH, HOSTNAME: hostnameOf(pod), HOME: uid === 0 ? '/root' : '/', ...env };
}

/** At most 63 letters, as a kubelet cuts it. */
function hostnameOf(pod: Pod): string {
  const name = pod.spec.hostname ?? pod.metadata.name ?? 'pod';
  return name.slice(0, 63).replace(/[-.]+$/, '');
}

/** Who the pod's containers are when all are the same; files for several users stay readable to all. */
function podOwner(pod: Pod, ownUid: number): { uid: number; gid: number } | undefined {
  const shared = pod.spec.securityContext;
  const uids = new Set(
    pod.spec.containers.map(({ securityContext }) => securityContext?.runAsUser ?? shared?.runAsUser ?? ownUid),
  );
  const [uid] = uids;
  return uids.size === 1 && uid !== undefined ? { uid, gid: shared?.runAsGroup ?? uid } : undefined;
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
