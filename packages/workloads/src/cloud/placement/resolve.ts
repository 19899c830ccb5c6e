/** Which nodes a placed object concerns: decided here once, for every kind with `spec.placement`. Pure. */
import type { KubeObject } from '@skerry/api';
import type { CustomResourceDefinition, Node } from '@skerry/api/types';

/** `spec.placement` of our kinds: one node by name, or every node that has all the labels. */
export interface Placement {
  readonly nodeName?: string;
  readonly nodeSelector?: Readonly<Record<string, string>>;
}

/** The names of the nodes, sorted. An absent placement concerns no node; an empty selector every one. */
export function resolvePlacement(placement: Placement | undefined, nodes: readonly Node[]): readonly string[] {
  if (placement === undefined) return [];
  const { nodeName, nodeSelector } = placement;
  if (nodeName === undefined && nodeSelector === undefined) return [];
  return nodes
    .filter(({ metadata }) => nodeName === undefined || metadata.name === nodeName)
    .filter(({ metadata }) =>
      Object.entries(nodeSelector ?? {}).every(([key, value]) => metadata.labels?.[key] === value),
    )
    .map(({ metadata }) => metadata.name ?? '')
    .sort();
}

export function placementOf(object: KubeObject): Placement | undefined {
  return (object['spec'] as { placement?: Placement } | undefined)?.placement;
}

export function placedNodesOf(object: KubeObject): readonly string[] {
  return (object['status'] as { nodes?: readonly string[] } | undefined)?.nodes ?? [];
}

/** True for kinds of ours whose schema has both `spec.placement` and `status.nodes`. */
export function hasPlacement({ spec }: CustomResourceDefinition): boolean {
  if (!spec.group.endsWith('.skerry.io')) return false;
  return spec.versions.some(({ schema }) => {
    const root = schema?.openAPIV3Schema?.properties;
    return (
      root?.['spec']?.properties?.['placement'] !== undefined && root['status']?.properties?.['nodes'] !== undefined
    );
  });
}
