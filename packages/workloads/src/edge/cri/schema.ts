/** What we use of the Container Runtime Interface, runtime.v1: fields by their numbers on the wire. The rest is passed over. */
import { bytes, flag, map, message, messages, text, texts, whole, wholes } from './message.ts';

export const Namespace = { pod: 0, container: 1, node: 2, target: 3 } as const;
export const ContainerState = { created: 0, running: 1, exited: 2, unknown: 3 } as const;
export const SandboxState = { ready: 0, notReady: 1 } as const;
export const Propagation = { private: 0, hostToContainer: 1, bidirectional: 2 } as const;
export const Protocol = { TCP: 0, UDP: 1, SCTP: 2 } as const;
export const Profile = { runtimeDefault: 0, unconfined: 1, localhost: 2 } as const;

const boxed = { value: whole(1) };
const profile = { type: whole(1), localhostRef: text(2) };
const namespaces = { network: whole(1), pid: whole(2), ipc: whole(3), targetId: text(4) };
const imageSpec = { image: text(1) };

const resources = {
  cpuPeriod: whole(1),
  cpuQuota: whole(2),
  cpuShares: whole(3),
  memoryLimit: whole(4),
  oomScoreAdj: whole(5),
};

const sandboxMetadata = { name: text(1), uid: text(2), namespace: text(3), attempt: whole(4) };

const sandboxConfig = {
  metadata: message(1, sandboxMetadata),
  hostname: text(2),
  logDirectory: text(3),
  dns: message(4, { servers: texts(1), searches: texts(2), options: texts(3) }),
  ports: messages(5, { protocol: whole(1), containerPort: whole(2), hostPort: whole(3), hostIp: text(4) }),
  labels: map(6),
  annotations: map(7),
  linux: message(8, {
    cgroupParent: text(1),
    security: message(2, {
      namespaces: message(1, namespaces),
      runAsUser: message(3, boxed),
      supplementalGroups: wholes(5),
      privileged: flag(6),
      runAsGroup: message(8, boxed),
      seccomp: message(9, profile),
    }),
    sysctls: map(3),
  }),
};

const containerMetadata = { name: text(1), attempt: whole(2) };

const containerConfig = {
  metadata: message(1, containerMetadata),
  image: message(2, imageSpec),
  command: texts(3),
  args: texts(4),
  workingDir: text(5),
  env: messages(6, { key: text(1), value: text(2) }),
  mounts: messages(7, { containerPath: text(1), hostPath: text(2), readOnly: flag(3), propagation: whole(5) }),
  labels: map(9),
  annotations: map(10),
  logPath: text(11),
  stdin: flag(12),
  stdinOnce: flag(13),
  tty: flag(14),
  linux: message(15, {
    resources: message(1, resources),
    security: message(2, {
      capabilities: message(1, { add: texts(1), drop: texts(2) }),
      privileged: flag(2),
      namespaces: message(3, namespaces),
      runAsUser: message(5, boxed),
      readOnlyRoot: flag(7),
      supplementalGroups: wholes(8),
      noNewPrivileges: flag(11),
      runAsGroup: message(12, boxed),
      seccomp: message(15, profile),
      appArmor: message(16, profile),
    }),
  }),
};

// Listed each second: what a status says better is left out, so that it is passed over instead of decoded.
const container = { id: text(1), sandboxId: text(2), imageRef: text(5), state: whole(6) };

const containerStatus = {
  id: text(1),
  metadata: message(2, containerMetadata),
  state: whole(3),
  createdAt: whole(4),
  startedAt: whole(5),
  finishedAt: whole(6),
  exitCode: whole(7),
  imageRef: text(9),
  reason: text(10),
  message: text(11),
  labels: map(12),
  annotations: map(13),
  logPath: text(15),
};

const sandbox = {
  id: text(1),
  metadata: message(2, sandboxMetadata),
  state: whole(3),
  createdAt: whole(4),
  labels: map(5),
};

const sandboxStatus = {
  id: text(1),
  state: whole(3),
  network: message(5, { ip: text(1), additional: messages(2, { ip: text(1) }) }),
};

const image = {
  id: text(1),
  tags: texts(2),
  digests: texts(3),
  size: whole(4),
  uid: message(5, boxed),
  username: text(6),
  pinned: flag(8),
};

const stats = {
  attributes: message(1, { id: text(1) }),
  cpu: message(2, { nanoseconds: message(2, boxed) }),
  memory: message(3, { workingSet: message(2, boxed), usage: message(4, boxed) }),
  writable: message(4, { used: message(3, boxed), inodes: message(4, boxed) }),
};

const labelled = (number: number) => message(1, { labels: map(number) });

/** Each method: its service, what goes in, what comes out. */
export const METHODS = {
  Version: ['RuntimeService', { version: text(1) }, { runtimeName: text(2), runtimeVersion: text(3), api: text(4) }],
  Status: ['RuntimeService', { verbose: flag(1) }, { info: map(2) }],
  RunPodSandbox: ['RuntimeService', { config: message(1, sandboxConfig), handler: text(2) }, { id: text(1) }],
  StopPodSandbox: ['RuntimeService', { id: text(1) }, {}],
  RemovePodSandbox: ['RuntimeService', { id: text(1) }, {}],
  PodSandboxStatus: ['RuntimeService', { id: text(1) }, { status: message(1, sandboxStatus) }],
  ListPodSandbox: ['RuntimeService', { filter: labelled(3) }, { items: messages(1, sandbox) }],
  CreateContainer: [
    'RuntimeService',
    { sandboxId: text(1), config: message(2, containerConfig), sandbox: message(3, sandboxConfig) },
    { id: text(1) },
  ],
  StartContainer: ['RuntimeService', { id: text(1) }, {}],
  StopContainer: ['RuntimeService', { id: text(1), timeoutSeconds: whole(2) }, {}],
  RemoveContainer: ['RuntimeService', { id: text(1) }, {}],
  ListContainers: ['RuntimeService', { filter: labelled(4) }, { containers: messages(1, container) }],
  ContainerStatus: [
    'RuntimeService',
    { id: text(1), verbose: flag(2) },
    { status: message(1, containerStatus), info: map(2) },
  ],
  UpdateContainerResources: ['RuntimeService', { id: text(1), linux: message(2, resources) }, {}],
  ReopenContainerLog: ['RuntimeService', { id: text(1) }, {}],
  ExecSync: [
    'RuntimeService',
    { id: text(1), command: texts(2), timeoutSeconds: whole(3) },
    { stdout: bytes(1), stderr: bytes(2), exitCode: whole(3) },
  ],
  Exec: [
    'RuntimeService',
    { id: text(1), command: texts(2), tty: flag(3), stdin: flag(4), stdout: flag(5), stderr: flag(6) },
    { url: text(1) },
  ],
  Attach: [
    'RuntimeService',
    { id: text(1), stdin: flag(2), tty: flag(3), stdout: flag(4), stderr: flag(5) },
    { url: text(1) },
  ],
  PortForward: ['RuntimeService', { sandboxId: text(1), ports: wholes(2) }, { url: text(1) }],
  ListContainerStats: ['RuntimeService', { filter: message(1, { labels: map(3) }) }, { stats: messages(1, stats) }],
  ListImages: ['ImageService', {}, { images: messages(1, image) }],
  ImageStatus: ['ImageService', { image: message(1, imageSpec) }, { image: message(1, image) }],
  PullImage: [
    'ImageService',
    {
      image: message(1, imageSpec),
      auth: message(2, {
        username: text(1),
        password: text(2),
        auth: text(3),
        identityToken: text(5),
        registryToken: text(6),
      }),
      sandbox: message(3, sandboxConfig),
    },
    { imageRef: text(1) },
  ],
  RemoveImage: ['ImageService', { image: message(1, imageSpec) }, {}],
  ImageFsInfo: [
    'ImageService',
    {},
    { filesystems: messages(1, { id: message(2, { mountpoint: text(1) }), used: message(3, boxed) }) },
  ],
} as const;
