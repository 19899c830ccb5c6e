/** metrics.k8s.io/v1beta1, which `kubectl top` and autoscalers read: NodeMetrics and PodMetrics, made from what the nodes say. */
import type { KubeObject, ResourceRow, Schema } from '@skerry/api';
import { formatDuration } from '@skerry/api/durations';
import { formatQuantity } from '@skerry/api/quantity';
import type { Node, Pod } from '@skerry/api/types';
import type { Client } from '@skerry/kube/client';
import { type ResourceTable, type VirtualKind, type VirtualRead, virtualKind } from '@skerry/kube/server';
import type { ReadUsage } from './node-usage.ts';
import type { PodUse, UsageReport, Used } from './report.ts';

export const METRICS_GROUP = { group: 'metrics.k8s.io', version: 'v1beta1' } as const;
const API_VERSION = `${METRICS_GROUP.group}/${METRICS_GROUP.version}`;
const PODS = { group: '', version: 'v1', resource: 'pods' };
const NODES = { group: '', version: 'v1', resource: 'nodes' };

export interface MetricsOptions {
  /** Reads nodes and pods of the API that these kinds are served by. */
  readonly client: Client;
  readonly usage: ReadUsage;
}

interface ContainerMetrics {
  readonly name: string;
  readonly usage: Readonly<Record<string, string>>;
}

export interface PodMetrics extends KubeObject {
  readonly timestamp: string;
  readonly window: string;
  readonly containers: readonly ContainerMetrics[];
}

/** Serves them from now on. */
export function serveMetrics(table: ResourceTable, options: MetricsOptions): void {
  const kinds: readonly VirtualKind[] = [
    { row: NODE_ROW, schema: NODE_SCHEMA, read: (read) => readNodes(options, read) },
    { row: POD_ROW, schema: POD_SCHEMA, read: (read) => readPods(options, read) },
  ];
  for (const kind of kinds) table.replace(METRICS_GROUP.group, kind.row.gvr.resource, [virtualKind(kind)]);
}

async function readNodes({ client, usage }: MetricsOptions, { name, matches }: VirtualRead): Promise<KubeObject[]> {
  const { items } = await client.list<Node>(NODES, named(name));
  const wanted = items.filter((node) => matches(labelsOf(node, 'NodeMetrics')));
  const reports = await usage(wanted.map(({ metadata }) => metadata.name ?? ''));
  return wanted.flatMap((node) => {
    const report = reports.get(node.metadata.name ?? '');
    if (report === undefined) return [];
    return [{ ...dated(labelsOf(node, 'NodeMetrics'), report), usage: usageOf(report.node) }];
  });
}

async function readPods(
  { client, usage }: MetricsOptions,
  { namespace, name, matches }: VirtualRead,
): Promise<PodMetrics[]> {
  const { items } = await client.list<Pod>(PODS, { ...named(name), ...(namespace === undefined ? {} : { namespace }) });
  const wanted = items.filter((pod) => isRunning(pod) && matches(labelsOf(pod, 'PodMetrics')));
  // What a node says counts only for pods that are on it.
  const byNode = Map.groupBy(wanted, ({ spec }) => spec?.nodeName ?? '');
  const reports = await usage(byNode.keys());
  return reports
    .entries()
    .flatMap(([node, report]) => metricsOf(byNode.get(node) ?? [], report))
    .toArray();
}

function metricsOf(pods: readonly Pod[], report: UsageReport): PodMetrics[] {
  const uses = new Map(report.pods.map((use) => [placeOf(use), use]));
  return pods.flatMap((pod) => {
    const { namespace = '', name = '' } = pod.metadata;
    const use: PodUse | undefined = uses.get(placeOf({ namespace, name }));
    if (use === undefined) return [];
    const containers = use.containers.map((each) => ({ name: each.name, usage: usageOf(each) }));
    return [{ ...dated(labelsOf(pod, 'PodMetrics'), report), containers }];
  });
}

function isRunning({ spec, status }: Pod): boolean {
  return spec?.nodeName !== undefined && status?.phase === 'Running';
}

function named(name: string | undefined): { readonly fieldSelector?: string } {
  return name === undefined ? {} : { fieldSelector: `metadata.name=${name}` };
}

function placeOf({ namespace, name }: Pick<PodUse, 'namespace' | 'name'>): string {
  return `${namespace}/${name}`;
}

/** Metrics carry the name and the labels of what they are about. */
function labelsOf({ metadata: { name, namespace, labels } }: KubeObject, kind: string): KubeObject {
  return {
    kind,
    apiVersion: API_VERSION,
    metadata: {
      ...(name === undefined ? {} : { name }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(labels === undefined ? {} : { labels }),
    },
  };
}

function dated<T extends KubeObject>(
  object: T,
  { at, windowMs }: UsageReport,
): T & { readonly timestamp: string; readonly window: string } {
  const timestamp = `${new Date(at).toISOString().slice(0, 19)}Z`;
  const metadata = { ...object.metadata, creationTimestamp: timestamp };
  return { ...object, metadata, timestamp, window: formatDuration(windowMs) };
}

function usageOf({ cpuNanocores, memoryBytes }: Used): ContainerMetrics['usage'] {
  return {
    cpu: formatQuantity({ nano: BigInt(cpuNanocores), format: 'DecimalSI' }),
    memory: `${Math.round(memoryBytes / 1024)}Ki`,
  };
}

const QUANTITIES: Schema = { type: 'object', additionalProperties: { type: 'string', format: 'quantity' } };
const COMMON: Readonly<Record<string, Schema>> = {
  apiVersion: { type: 'string' },
  kind: { type: 'string' },
  metadata: { type: 'object', preserveUnknownFields: true },
  timestamp: { type: 'string', format: 'date-time' },
  window: { type: 'string', format: 'duration' },
};

const NODE_SCHEMA: Schema = { type: 'object', properties: { ...COMMON, usage: QUANTITIES } };
const POD_SCHEMA: Schema = {
  type: 'object',
  properties: {
    ...COMMON,
    containers: {
      type: 'array',
      items: { type: 'object', properties: { name: { type: 'string' }, usage: QUANTITIES } },
    },
  },
};

const NODE_ROW = rowOf('nodes', 'NodeMetrics', false);
const POD_ROW = rowOf('pods', 'PodMetrics', true);

function rowOf(resource: string, kind: string, namespaced: boolean): ResourceRow {
  return {
    gvr: { ...METRICS_GROUP, resource },
    gvk: { ...METRICS_GROUP, kind },
    listKind: `${kind}List`,
    singular: '',
    namespaced,
    shortNames: [],
    categories: [],
    verbs: ['get', 'list'],
    subresources: [],
    selectableFields: [],
    tracksGeneration: false,
    origin: 'cloud',
    edgeWritable: [],
    relations: [],
  };
}
