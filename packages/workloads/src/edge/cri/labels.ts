/** The labels by which sandboxes and containers are found again: a kubelet's names, and whose they are. Pure. */
import type { Pod } from '../pod/types.ts';
import type { ContainerLabels } from '../runtime.ts';

export const Label = {
  pod: 'io.kubernetes.pod.name',
  namespace: 'io.kubernetes.pod.namespace',
  uid: 'io.kubernetes.pod.uid',
  container: 'io.kubernetes.container.name',
  /** Several agents, or an agent and a kubelet, may share a runtime: each sees what is its own. */
  node: 'skerry.io/node',
  // The rest are annotations.
  hash: 'skerry.io/container-hash',
  grace: 'skerry.io/grace-seconds',
  boot: 'skerry.io/boot-id',
  logDirectory: 'skerry.io/log-directory',
} as const;

export type OwnLabels = Readonly<Record<string, string>>;

export function podLabels({ metadata: { namespace = '', name = '', uid = '' } }: Pod, node: string): OwnLabels {
  return { [Label.namespace]: namespace, [Label.pod]: name, [Label.uid]: uid, [Label.node]: node };
}

interface Labelled {
  readonly metadata: { readonly name: string; readonly attempt: number } | undefined;
  readonly labels: OwnLabels;
  readonly annotations: OwnLabels;
}

export function containerLabels({ metadata, labels, annotations }: Labelled): ContainerLabels {
  return {
    namespace: labels[Label.namespace] ?? '',
    pod: labels[Label.pod] ?? '',
    uid: labels[Label.uid] ?? '',
    container: labels[Label.container] ?? '',
    attempt: metadata?.attempt ?? 0,
    graceSeconds: Number(annotations[Label.grace] ?? 30),
    hash: annotations[Label.hash] ?? '',
  };
}
