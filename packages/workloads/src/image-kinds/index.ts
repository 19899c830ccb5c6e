/** The kinds that say how images reach nodes: ImageRegistry, ImagePull, and the task that an ImagePull makes for each node. */
import type { Gvk, Gvr, KubeObject } from '@skerry/api';

const GROUP = 'apps.skerry.io';
const VERSION = 'v1alpha1';
const gvr = (resource: string): Gvr => ({ group: GROUP, version: VERSION, resource });
const gvk = (kind: string): Gvk => ({ group: GROUP, version: VERSION, kind });

export const IMAGE_REGISTRIES: Gvr = gvr('imageregistries');
export const IMAGE_REGISTRY: Gvk = gvk('ImageRegistry');
export const IMAGE_PULLS: Gvr = gvr('imagepulls');
export const IMAGE_PULL: Gvk = gvk('ImagePull');
export const IMAGE_PULL_TASKS: Gvr = gvr('imagepulltasks');
export const IMAGE_PULL_TASK: Gvk = gvk('ImagePullTask');

/**
 * How images of one registry reach the nodes of its placement. Where several name the same host at a node, the first by name counts.
 * Absent for a host: no mirrors, the system's authorities, HTTPS, `Auto`, no limit.
 */
export interface ImageRegistry extends KubeObject {
  readonly spec: ImageRegistrySpec;
  readonly status?: { readonly nodes?: readonly string[] };
}

export interface ImageRegistrySpec {
  /** As in names of images: `docker.io`, `registry.example:5000`. One host exactly; nothing stands for several. */
  readonly host: string;
  /** Asked in this order before the host itself, each for the same repositories. */
  readonly mirrors?: readonly ImageMirror[];
  /** PEM in base64: the authorities, or the very certificate, to trust for the host instead of the system's. */
  readonly caBundle?: string;
  /** Speak HTTP to the host. */
  readonly plainHTTP?: boolean;
  /** `Auto` (default): through the cloud while the link is there, else directly. */
  readonly pull?: 'Auto' | 'ThroughCloud' | 'Direct';
  /** A quantity, such as `512Ki`: what one node may take of this host, all pulls together. */
  readonly maxBytesPerSecond?: string | number;
}

export interface ImageMirror {
  /** `https://HOST[:PORT][/PATH]`; with `http://` only where `plainHTTP` says so too. */
  readonly url: string;
  readonly caBundle?: string;
  readonly plainHTTP?: boolean;
}

/** Images that the nodes of its placement are to hold before any pod asks for them. */
export interface ImagePull extends KubeObject {
  readonly spec: ImagePullSpec;
  readonly status?: ImagePullStatus;
}

export interface ImagePullSpec {
  readonly images: readonly string[];
  readonly imagePullSecrets?: readonly { readonly name?: string }[];
  /** How many nodes pull at once; 10 when absent. */
  readonly concurrency?: number;
  /** From the first task on; nodes that are not done then are given up. */
  readonly activeDeadlineSeconds?: number;
}

export interface ImagePullStatus {
  readonly nodes?: readonly string[];
  readonly observedGeneration?: number;
  readonly startTime?: string;
  readonly completionTime?: string;
  /** Of nodes: all of the placement, and of these how many hold every image, are at it, or gave up. */
  readonly desired?: number;
  readonly pulled?: number;
  readonly pulling?: number;
  readonly failed?: number;
  /** Per node and image: failures first, then what is under way; at most MAX_SHOWN_PULLS. */
  readonly pulls?: readonly NodePullState[];
  readonly conditions?: readonly ImagePullCondition[];
}

export interface ImagePullCondition {
  readonly type: 'Progressing' | 'Complete';
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message?: string;
  readonly lastTransitionTime?: string;
}

/** What one node is to do for an ImagePull. The cloud makes it, the node writes its status. */
export interface ImagePullTask extends KubeObject {
  readonly spec: ImagePullTaskSpec;
  readonly status?: ImagePullTaskStatus;
}

export interface ImagePullTaskSpec {
  readonly nodeName: string;
  readonly images: readonly string[];
  readonly imagePullSecrets?: readonly { readonly name?: string }[];
  /** Given up: the node ends what it is at. */
  readonly cancelled?: boolean;
}

export interface ImagePullTaskStatus {
  readonly observedGeneration?: number;
  readonly phase?: PullPhase;
  readonly progress?: string;
  readonly reason?: string;
  readonly images?: readonly PullState[];
}

export type PullPhase = 'Pending' | 'Pulling' | 'Pulled' | 'Failed';

export interface PullState {
  readonly image: string;
  readonly phase: PullPhase;
  readonly digest?: string;
  readonly totalBytes?: number;
  readonly presentBytes?: number;
  readonly reason?: string;
  readonly message?: string;
}

export interface NodePullState extends PullState {
  readonly node: string;
}
