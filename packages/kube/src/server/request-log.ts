/** What is kept of requests: a line of audit and the counts of /metrics. */
import type { AuditLog } from '@skerry/api';
import type { Clock } from '@skerry/base';
import type { ApiRequest } from './contract.ts';
import type { Route } from './route.ts';

/** What happens all the time and harms nobody: keeping it would drown the rest. */
function isRoutine(route: Route): boolean {
  if (route.type === 'path') return false;
  const { group, resource, subresource } = route;
  if (resource === 'leases') return group === 'coordination.k8s.io';
  if (resource === 'events') return group === '' || group === 'events.k8s.io';
  return resource === 'nodes' && group === '' && subresource === 'status';
}

export function auditRequest(
  audit: AuditLog,
  clock: Clock,
  request: ApiRequest,
  { route, code, annotations }: { route: Route | undefined; code: number; annotations: ReadonlyMap<string, string> },
): void {
  if (route !== undefined && isRoutine(route)) return;
  const { sourceIp, path, method, user } = request;
  audit.append({
    time: new Date(clock.now()).toISOString(),
    user: user.username,
    groups: user.groups,
    verb: route?.verb ?? method.toLowerCase(),
    path,
    code,
    ...(sourceIp === undefined ? {} : { sourceIp }),
    ...(annotations.size === 0 ? {} : { annotations: Object.fromEntries(annotations) }),
  });
}

/** Upper bounds of the duration histogram, in seconds. */
const BUCKETS = [0.005, 0.025, 0.1, 0.5, 1, 5, 30] as const;

/** Beyond this many series new ones are counted together, so that a flood of odd requests costs no memory. */
const MAX_SERIES = 2_000;

const OTHER = 'other';

interface Histogram {
  readonly counts: number[];
  sum: number;
  count: number;
}

export class RequestMetrics {
  readonly #requests = new Map<string, number>();
  readonly #durations = new Map<string, Histogram>();

  observe(route: Route | undefined, code: number, seconds: number): void {
    const verb = route?.verb ?? OTHER;
    const resource = route?.type === 'resource' ? labelOf(route.resource) : '';
    const group = route?.type === 'resource' ? labelOf(route.group) : '';
    const series = `verb="${verb}",group="${group}",resource="${resource}",code="${code}"`;
    const key = this.#requests.has(series) || this.#requests.size < MAX_SERIES ? series : `verb="${OTHER}"`;
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1);
    // A watch lasts as long as it is wanted, which says nothing about the server.
    if (verb !== 'watch') this.#observeDuration(`verb="${verb}",group="${group}",resource="${resource}"`, seconds);
  }

  /** The text format of Prometheus. */
  render(gauges: Readonly<Record<string, number>>): string {
    const lines = ['# TYPE apiserver_request_total counter'];
    for (const [labels, count] of this.#requests) lines.push(`apiserver_request_total{${labels}} ${count}`);
    lines.push('# TYPE apiserver_request_duration_seconds histogram');
    for (const [labels, histogram] of this.#durations) lines.push(...renderHistogram(labels, histogram));
    for (const [name, value] of Object.entries(gauges)) lines.push(`# TYPE ${name} gauge`, `${name} ${value}`);
    return `${lines.join('\n')}\n`;
  }

  #observeDuration(series: string, seconds: number): void {
    const labels = this.#durations.has(series) || this.#durations.size < MAX_SERIES ? series : `verb="${OTHER}"`;
    const histogram = this.#durations.get(labels) ?? { counts: BUCKETS.map(() => 0), sum: 0, count: 0 };
    const bucket = BUCKETS.findIndex((bound) => seconds <= bound);
    if (bucket >= 0) histogram.counts[bucket] = (histogram.counts[bucket] ?? 0) + 1;
    histogram.sum += seconds;
    histogram.count++;
    this.#durations.set(labels, histogram);
  }
}

/** A path may hold anything; a label may not. */
function labelOf(segment: string): string {
  return /^[\w.-]{0,253}$/.test(segment) ? segment : OTHER;
}

function renderHistogram(labels: string, { counts, sum, count }: Histogram): string[] {
  const name = 'apiserver_request_duration_seconds';
  let total = 0;
  const buckets = BUCKETS.map((bound, index) => {
    total += counts[index] ?? 0;
    return `${name}_bucket{${labels},le="${bound}"} ${total}`;
  });
  return [
    ...buckets,
    `${name}_bucket{${labels},le="+Inf"} ${count}`,
    `${name}_sum{${labels}} ${sum.toFixed(6)}`,
    `${name}_count{${labels}} ${count}`,
  ];
}
