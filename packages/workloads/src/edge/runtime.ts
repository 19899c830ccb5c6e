/** What the pod controller asks of whatever runs containers: `process` here, containerd in a package beside it. */
import type { PullProgress } from '../images/index.ts';
import type { Usage } from '../supervisor/protocol.ts';
import type { ConfigReader } from './pod/environment.ts';
import type { Container, Pod } from './pod/types.ts';

/** Which container of which pod, and which try. Enough to find a pod again whose object is gone. */
export interface ContainerLabels {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly container: string;
  /** 0 for the first start, one more for each restart. */
  readonly attempt: number;
  readonly graceSeconds: number;
  /** Changes when the container's spec does. */
  readonly hash: string;
}

export interface ContainerSnapshot {
  /** As in `status.containerID`, without the scheme. */
  readonly id: string;
  readonly labels: ContainerLabels;
  readonly logPath: string;
  readonly startedAt: number;
  readonly pid?: number;
  /** The runtime knows nothing of it: its program could not be executed, or its record had to make room. */
  readonly isPhantom?: true;
  readonly exit?: { readonly code: number; readonly reason?: string; readonly finishedAt: number };
}

/** A volume ready on the host, to be seen at `mountPath`. */
export interface ReadyMount {
  readonly hostPath: string;
  readonly mountPath: string;
  readonly readOnly: boolean;
}

export interface StartContainer {
  readonly pod: Pod;
  readonly container: Container;
  readonly attempt: number;
  /** Complete and expanded. */
  readonly env: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly mounts: readonly ReadyMount[];
  readonly logPath: string;
  /** Holds the logs of all containers of the pod. */
  readonly podLogDirectory: string;
  /** What `findImage` or `pullImage` gave, for the runtime itself. */
  readonly imageRef: string;
  /** A file of the host that the container sees at its terminationMessagePath. */
  readonly terminationLog?: string;
  readonly hash: string;
}

export interface ExecRequest {
  readonly command: readonly string[];
  readonly stdin: boolean;
  readonly tty: boolean;
}

export interface ExecResult {
  readonly exitCode: number;
  readonly output: string;
  readonly timedOut: boolean;
}

export interface RuntimeSession {
  writeStdin(chunk: Uint8Array): Promise<void>;
  closeStdin(): void;
  resize(columns: number, rows: number): void;
  readonly output: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly chunk: Uint8Array }>;
  readonly exitCode: Promise<number | undefined>;
  close(): void;
}

/** How an attached container was started. */
export interface AttachRequest {
  readonly stdin: boolean;
  readonly tty: boolean;
}

/** A connection to a port in a pod. */
export interface RuntimePort {
  readonly incoming: AsyncIterable<Uint8Array>;
  send(bytes: Uint8Array): Promise<void>;
  /** No more from here; the other direction stays open. */
  end(): void;
  /** What went wrong, once the connection has ended; empty when nothing did. */
  readonly problem: Promise<string>;
  close(): void;
}

/** A container that cannot be run as its spec demands; `reason` goes into the status, `message` to the person. */
export class RuntimeRefusal extends Error {
  override readonly name = 'RuntimeRefusal';
  readonly reason: string;

  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** An image that did not come. Why, in one sentence for people, is the message. */
export class PullFailure extends Error {
  override readonly name = 'PullFailure';
  /** Nobody who could know the image was reached: an older one of the name is as good as any. */
  readonly isUnreachable: boolean;

  constructor(message: string, options?: ErrorOptions & { readonly isUnreachable?: boolean }) {
    super(message, options);
    this.isUnreachable = options?.isUnreachable ?? false;
  }
}

export interface ReadyImage {
  /** Goes into `status.imageID`. */
  readonly imageId: string;
  /** For the runtime itself, when it starts the container. */
  readonly imageRef: string;
  /** Of the image as it lies in registries; absent for a program of the node, which nobody needs to be told of. */
  readonly sizeBytes?: number;
}

/** An image that is here. */
export interface ListedImage {
  /** That with the digest first, `registry.example/web@sha256:…`, then those with tags. */
  readonly names: readonly string[];
  readonly sizeBytes: number;
}

export interface PullTask {
  /** As the container names it. */
  readonly image: string;
  readonly pod: Pod;
  /** Finds the secrets that registries ask for. */
  readonly read: ConfigReader;
  /** Nobody waits for the image any more; what has come is kept. */
  readonly signal: AbortSignal;
  /** Called at most a few times a second. */
  readonly onProgress: (progress: PullProgress) => void;
}

export interface ContainerUsage extends Usage {
  /** What the container has written into its own root file system. */
  readonly diskBytes?: number;
  readonly inodes?: number;
}

export interface PodRuntime {
  /** The scheme of container ids and the node's label: `process`, `containerd`. */
  readonly name: string;
  /** As in `nodeInfo.containerRuntimeVersion`, `process://1`. */
  readonly version: string;
  /** False once it has not answered for long enough that nothing new should go there. Absent where it always answers. */
  isServing?(): boolean;
  /** Who a container's processes are, for the files they must read; absent where the runtime maps ids itself. */
  ownerOf(pod: Pod): { readonly uid: number; readonly gid: number } | undefined;
  /** Makes what a pod's containers share, or finds it. `logDirectory` will hold their logs. */
  preparePod(pod: Pod, logDirectory: string): Promise<{ readonly podIPs: readonly string[] }>;
  removePod(uid: string): Promise<void>;
  /** Every container has ended for good: the pod's address may go, the records of its containers stay. */
  releasePod?(uid: string): Promise<void>;
  /** Removes what is left of pods that nobody knows any more. Called now and then. */
  sweep?(isKnown: (uid: string) => boolean): Promise<void>;
  /** What is here of the name, without any network. Throws RuntimeRefusal for a name that can never be run here. */
  findImage(image: string): Promise<ReadyImage | undefined>;
  /** Brings what the name means now; only when that is what is here already, nothing comes. Throws PullFailure. */
  pullImage(task: PullTask): Promise<ReadyImage>;
  /** All that are here; absent where images are no matter. */
  images?(): Promise<readonly ListedImage[]>;
  start(request: StartContainer): Promise<ContainerSnapshot>;
  list(): Promise<readonly ContainerSnapshot[]>;
  /** Each start and each end, also those that happened while the agent was away (as `list` shows them). */
  onChange(listener: (snapshot: ContainerSnapshot) => void): Disposable;
  /** What a pod's containers share has died under them; they are ended. Absent where they share nothing that could. */
  onSandboxLost?(listener: (podUid: string) => void): Disposable;
  /** Asks the first process to end. */
  terminate(id: string, signal?: string): Promise<void>;
  /** Ends everything in the container; resolves once it is gone and its end recorded. */
  kill(id: string): Promise<ContainerSnapshot>;
  /** Forgets an ended container. Its log is the caller's. */
  remove(id: string): Promise<void>;
  execSync(id: string, command: readonly string[], timeoutMs: number): Promise<ExecResult>;
  exec(id: string, request: ExecRequest): Promise<RuntimeSession>;
  attach(id: string, request: AttachRequest): Promise<RuntimeSession>;
  /** Absent where pods are on the node's own network, and so are their ports. */
  forward?(podUid: string, port: number): Promise<RuntimePort>;
  /** The container runs on with what its spec says now. */
  resize(id: string, pod: Pod, container: Container): Promise<void>;
  usage(): Promise<readonly ContainerUsage[]>;
  /** Where its images lie; undefined where it has none. */
  imageDirectory?(): Promise<string | undefined>;
  /** The disk is nearly full: removes every image that nobody uses. */
  reclaimImages?(): Promise<void>;
}
