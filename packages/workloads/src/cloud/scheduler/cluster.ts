/** The scheduler's picture of the cluster: nodes with the pods on them, kept up change by change. No I/O. */
import type { Node, Pod } from '@skerry/api/types';
import { keyOf } from '@skerry/kube/controller';
import { type Amounts, allocatableOf, hostPortsOf, requestsOf } from '../../fit/requests.ts';

/** A node and what is taken of it. */
export interface NodeView {
  readonly name: string;
  readonly node: Node;
  readonly labels: Readonly<Record<string, string>>;
  readonly allocatable: Amounts;
  readonly requested: Amounts;
  readonly pods: ReadonlyMap<string, Pod>;
  readonly ports: readonly string[];
}

interface Placed {
  readonly pod: Pod;
  readonly node: string;
  readonly requests: Amounts;
}

interface MutableNode {
  node?: Node;
  view?: NodeView;
  readonly pods: Map<string, Placed>;
}

export class Cluster {
  readonly #nodes = new Map<string, MutableNode>();
  readonly #placed = new Map<string, string>();
  #withAntiAffinity = 0;

  /** Nodes that exist, in the order they came. */
  views(): readonly NodeView[] {
    return [...this.#nodes].flatMap(([name, entry]) => {
      const view = viewOf(name, entry);
      return view === undefined ? [] : [view];
    });
  }

  /** Whether any placed pod keeps others away: then every decision must look at all pods. */
  get hasAntiAffinity(): boolean {
    return this.#withAntiAffinity > 0;
  }

  setNode(node: Node): void {
    const entry = this.#entry(node.metadata.name ?? '');
    entry.node = node;
    delete entry.view;
  }

  removeNode(name: string): void {
    const entry = this.#nodes.get(name);
    if (entry === undefined) return;
    // Pods may outlive their node's object for a while; they count again if it comes back.
    delete entry.node;
    delete entry.view;
    if (entry.pods.size === 0) this.#nodes.delete(name);
  }

  /** A pod is on a node: seen there, or about to be bound there. */
  place(pod: Pod, node: string): void {
    const key = keyOf(pod);
    this.remove(key);
    const entry = this.#entry(node);
    entry.pods.set(key, { pod, node, requests: requestsOf(pod) });
    this.#placed.set(key, node);
    this.#withAntiAffinity += Number(keepsOthersAway(pod));
    delete entry.view;
  }

  remove(key: string): void {
    const node = this.#placed.get(key);
    const entry = node === undefined ? undefined : this.#nodes.get(node);
    const placed = entry?.pods.get(key);
    if (entry === undefined || placed === undefined) return;
    entry.pods.delete(key);
    delete entry.view;
    this.#placed.delete(key);
    this.#withAntiAffinity -= Number(keepsOthersAway(placed.pod));
  }

  nodeOf(key: string): string | undefined {
    return this.#placed.get(key);
  }

  #entry(name: string): MutableNode {
    const known = this.#nodes.get(name);
    if (known !== undefined) return known;
    const entry: MutableNode = { pods: new Map() };
    this.#nodes.set(name, entry);
    return entry;
  }
}

export function keepsOthersAway(pod: Pod): boolean {
  return (pod.spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []).length > 0;
}

function viewOf(name: string, entry: MutableNode): NodeView | undefined {
  const { node } = entry;
  if (node === undefined) return undefined;
  entry.view ??= buildView(name, node, [...entry.pods]);
  return entry.view;
}

function buildView(name: string, node: Node, placed: readonly (readonly [string, Placed])[]): NodeView {
  const requested = new Map<string, number>();
  for (const [, { requests }] of placed) {
    for (const [resource, amount] of requests) requested.set(resource, (requested.get(resource) ?? 0) + amount);
  }
  return {
    name,
    node,
    labels: node.metadata.labels ?? {},
    allocatable: allocatableOf(node),
    requested,
    pods: new Map(placed.map(([key, { pod }]) => [key, pod])),
    ports: placed.flatMap(([, { pod }]) => hostPortsOf(pod, node)),
  };
}
