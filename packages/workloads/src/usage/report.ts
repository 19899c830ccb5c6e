/** What a node says of its own use and that of its pods: small, because it crosses the link whenever somebody asks. */

/** Processor in billionths of a core, averaged over a window; memory that cannot be done without, in bytes. */
export interface Used {
  readonly cpuNanocores: number;
  readonly memoryBytes: number;
}

export interface ContainerUse extends Used {
  readonly name: string;
}

export interface PodUse {
  readonly namespace: string;
  readonly name: string;
  readonly containers: readonly ContainerUse[];
}

export interface UsageReport {
  /** By the node's clock, the one that its pods' conditions are dated with. */
  readonly at: number;
  readonly windowMs: number;
  readonly node: Used;
  readonly pods: readonly PodUse[];
}

/** What a node's `get` stream answers with a report. */
export const USAGE_PATH = '/stats/usage';

/** A report of 1,000 pods with two containers each is a tenth of it. */
export const MAX_REPORT_BYTES = 1024 * 1024;

/** On the wire: millionths of a core and KiB, pods by namespace and name. */
type Pair = readonly [cpu: number, memory: number];
type Names<T> = Readonly<Record<string, T>>;

interface Wire {
  readonly at: number;
  readonly window: number;
  readonly node: Pair;
  readonly pods: Names<Names<Names<Pair>>>;
}

export function encodeReport({ at, windowMs, node, pods }: UsageReport): string {
  const byNamespace: Record<string, Record<string, Record<string, Pair>>> = {};
  for (const { namespace, name, containers } of pods) {
    byNamespace[namespace] ??= {};
    byNamespace[namespace][name] = Object.fromEntries(containers.map((each) => [each.name, toPair(each)]));
  }
  const wire: Wire = { at: Math.round(at), window: Math.round(windowMs), node: toPair(node), pods: byNamespace };
  return JSON.stringify(wire);
}

/** Undefined when the text is no report: a node may say what it likes. */
export function parseReport(text: string): UsageReport | undefined {
  try {
    const { at, window, node, pods } = JSON.parse(text) as Partial<Wire>;
    if (!isCount(at) || !isCount(window)) return undefined;
    return { at, windowMs: window, node: fromPair(node), pods: entriesOf(pods).flatMap(podsOf) };
  } catch {
    return undefined;
  }
}

function podsOf([namespace, pods]: [string, unknown]): PodUse[] {
  return entriesOf(pods).map(([name, containers]) => ({
    namespace,
    name,
    containers: entriesOf(containers).map(([container, pair]) => ({ name: container, ...fromPair(pair) })),
  }));
}

function entriesOf(value: unknown): [string, unknown][] {
  if (typeof value !== 'object' || value === null) throw new TypeError('not a table of names');
  return Object.entries(value);
}

function toPair({ cpuNanocores, memoryBytes }: Used): Pair {
  return [Math.round(cpuNanocores / 1000), Math.round(memoryBytes / 1024)];
}

function fromPair(value: unknown): Used {
  const [cpu, memory] = Array.isArray(value) ? (value as unknown[]) : [];
  if (!isCount(cpu) || !isCount(memory)) throw new TypeError('not a pair of counts');
  return { cpuNanocores: cpu * 1000, memoryBytes: memory * 1024 };
}

/** Small enough for its thousandfold still to be exact. */
function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= Number.MAX_SAFE_INTEGER / 1024;
}
