/** What the pods of a node share. */
import type { Clock, Logger } from '@skerry/base';
import type { Client, Recorder } from '@skerry/kube/client';
import type { ContainerSnapshot, PodRuntime } from '../runtime.ts';
import type { RuntimeSet } from '../runtime-set.ts';
import type { IssuedToken, TokenRequest } from '../volumes/payload.ts';
import type { Rejection } from './admission.ts';
import type { ConfigReader, ServiceFacts } from './environment.ts';
import type { Limiter } from './limiter.ts';
import type { Pod } from './types.ts';

export interface NodeContext {
  readonly client: Client;
  readonly runtimes: RuntimeSet;
  readonly clock: Clock;
  readonly log: Logger;
  readonly recorder: Recorder;
  /** Holds `UID/volumes` and `UID/containers`. */
  readonly directory: string;
  /** Holds `NAMESPACE_NAME_UID/CONTAINER/ATTEMPT.log`, as a kubelet lays them out. */
  readonly logDirectory: string;
  readonly hostIPs: () => readonly string[];
  readonly allocatable: () => Readonly<Record<string, string>>;
  readonly services: (namespace: string) => readonly ServiceFacts[];
  /** Where the API is for pods on the host's network, or for those on one of their own. */
  readonly localApi: (isOnHost: boolean) => { readonly host: string; readonly port: number } | undefined;
  readonly readConfig: (namespace: string) => ConfigReader;
  readonly requestToken: (request: TokenRequest) => Promise<IssuedToken>;
  /** Why the node does not take this pod; undefined when it does. */
  readonly admit: (pod: Pod, isAlone?: boolean) => Promise<Rejection | undefined>;
  /** Bounds how many containers start at the same moment. */
  readonly starts: Limiter;
}

/** What a runtime knows of a pod's containers from before. */
export interface FoundPod {
  readonly runtime: PodRuntime;
  readonly snapshots: readonly ContainerSnapshot[];
}

/** The node as one pod sees it, with the runtime that was chosen for it. */
export interface PodContext extends NodeContext {
  readonly runtime: PodRuntime;
}

/** `current` may answer differently later: a runtime is chosen for good only when the pod is prepared. */
export function withRuntime(node: NodeContext, current: () => PodRuntime): PodContext {
  return {
    ...node,
    get runtime() {
      return current();
    },
  };
}
