/** Kinds of bodies that subresources take and give. */
import type { Gvk } from '../names.ts';
import type { ResourceRow } from '../resource.ts';

/** What the body of a subresource is, where that is not the kind itself. */
const SUBRESOURCE_KINDS: Readonly<Record<string, Gvk>> = {
  scale: { group: 'autoscaling', version: 'v1', kind: 'Scale' },
  eviction: { group: 'policy', version: 'v1', kind: 'Eviction' },
  token: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
  binding: { group: '', version: 'v1', kind: 'Binding' },
  attach: { group: '', version: 'v1', kind: 'PodAttachOptions' },
  exec: { group: '', version: 'v1', kind: 'PodExecOptions' },
  portforward: { group: '', version: 'v1', kind: 'PodPortForwardOptions' },
};

export function subresourceKind(row: ResourceRow, subresource: string): Gvk {
  if (subresource === 'proxy') return { group: '', version: 'v1', kind: `${row.gvk.kind}ProxyOptions` };
  return SUBRESOURCE_KINDS[subresource] ?? row.gvk;
}
