/** What the node tells those who scrape it: Prometheus text, the kubelet's summary, the pods it has. */
import type { Usage } from '../../supervisor/protocol.ts';
import type { HostUsage } from '../node/host-usage.ts';

export interface Measured {
  readonly node: string;
  readonly now: number;
  readonly host: HostUsage;
  /** Containers that run, with what they use. */
  readonly containers: readonly {
    readonly namespace: string;
    readonly pod: string;
    readonly uid: string;
    readonly container: string;
    readonly startedAt: number;
    readonly usage: Usage;
  }[];
}

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

export function prometheusText({ node, host, containers }: Measured): string {
  const of = (pick: (one: Measured['containers'][number]) => number): Sample[] =>
    containers.map((one) => [{ namespace: one.namespace, pod: one.pod, container: one.container }, pick(one)]);
  const at: Readonly<Record<string, string>> = { node };
  return [
    metric(
      'container_cpu_usage_seconds_total',
      'counter',
      'Processor time used by the container.',
      of(({ usage }) => usage.cpuNanoseconds / 1e9),
    ),
    metric(
      'container_memory_working_set_bytes',
      'gauge',
      'Memory the container cannot do without.',
      of(({ usage }) => usage.workingSetBytes),
    ),
    metric(
      'container_memory_usage_bytes',
      'gauge',
      'Memory of the container, caches included.',
      of(({ usage }) => usage.memoryBytes),
    ),
    metric(
      'container_processes',
      'gauge',
      'Processes in the container.',
      // Some runtimes do not count them.
      of(({ usage }) => usage.processes).filter(([, count]) => count > 0),
    ),
    metric(
      'container_start_time_seconds',
      'gauge',
      'When the container started.',
      of(({ startedAt }) => startedAt / 1000),
    ),
    metric('node_cpu_usage_seconds_total', 'counter', 'Processor time used on the node.', [[at, host.cpuSeconds]]),
    metric('node_memory_working_set_bytes', 'gauge', 'Memory in use on the node.', [
      [at, host.memoryTotal - host.memoryAvailable],
    ]),
    metric('skerry_node_pods', 'gauge', 'Pods with a running container.', [
      [at, new Set(containers.map(({ uid }) => uid)).size],
    ]),
    metric('skerry_agent_resident_memory_bytes', 'gauge', 'Memory of the agent.', [[at, process.memoryUsage.rss()]]),
  ].join('');
}

export function summaryOf({ node, now, host, containers }: Measured): object {
  const time = new Date(now).toISOString();
  const pods = Map.groupBy(containers, ({ uid }) => uid);
  const memory = (usage: Usage) => ({ time, usageBytes: usage.memoryBytes, workingSetBytes: usage.workingSetBytes });
  return {
    node: {
      nodeName: node,
      cpu: { time, usageCoreNanoSeconds: Math.round(host.cpuSeconds * 1e9) },
      memory: { time, availableBytes: host.memoryAvailable, workingSetBytes: host.memoryTotal - host.memoryAvailable },
      fs: { time, availableBytes: host.diskAvailable, capacityBytes: host.diskTotal },
    },
    pods: Array.from(pods.values(), (members) => ({
      podRef: { name: members[0]?.pod, namespace: members[0]?.namespace, uid: members[0]?.uid },
      containers: members.map(({ container, startedAt, usage }) => ({
        name: container,
        startTime: new Date(startedAt).toISOString(),
        cpu: { time, usageCoreNanoSeconds: usage.cpuNanoseconds },
        memory: memory(usage),
      })),
    })),
  };
}

function metric(name: string, type: 'counter' | 'gauge', help: string, samples: readonly Sample[]): string {
  const lines = samples.map(([labels, value]) => `${name}{${formatLabels(labels)}} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function formatLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(',');
}
