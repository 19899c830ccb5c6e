/** From counters to rates: what node and containers use now, seen against what they had used a little earlier. */
import type { Clock } from '@skerry/base';
import type { PodUse, UsageReport } from '../../usage/report.ts';
import type { Measured } from './metrics.ts';

/** How far back the sample that a rate is taken against should lie; with nothing older, a younger one will do. */
const WINDOW_MS = 10_000;
/** Who asks first waits this long: nothing is measured while nobody asks. */
const FIRST_WINDOW_MS = 1000;
/** Older samples say nothing of now. */
const MAX_WINDOW_MS = 60_000;
/** Samples are kept this far apart, so that there are never more than MAX_WINDOW_MS / SPACING_MS of them. */
const SPACING_MS = 5000;

export interface UsageWindowOptions {
  readonly measure: () => Promise<Measured>;
  readonly clock: Clock;
}

/** A sample, and when it was taken by the clock that never goes back. */
interface Sample {
  readonly takenAt: number;
  readonly measured: Measured;
}

/** Callers that come while a measurement is under way share it. */
export function usageWindow(options: UsageWindowOptions): () => Promise<UsageReport> {
  let kept: readonly Sample[] = [];
  let running: Promise<UsageReport> | undefined;
  const report = async (): Promise<UsageReport> => {
    const base = await baseOf(kept, options);
    const sample = await take(options);
    kept = keep(kept.length === 0 ? [base] : kept, sample);
    return reportBetween(base, sample);
  };
  return () => {
    running ??= report().finally(() => {
      running = undefined;
    });
    return running;
  };
}

/** The youngest sample that lies a window back, else the oldest there is, else one that is taken now and grows old first. */
async function baseOf(kept: readonly Sample[], options: UsageWindowOptions): Promise<Sample> {
  const age = ({ takenAt }: Sample) => options.clock.monotonic() - takenAt;
  const usable = kept.filter((sample) => age(sample) <= MAX_WINDOW_MS);
  const base = usable.findLast((sample) => age(sample) >= WINDOW_MS) ?? usable[0] ?? (await take(options));
  const youth = FIRST_WINDOW_MS - age(base);
  if (youth > 0) await options.clock.sleep(youth);
  return base;
}

async function take({ measure, clock }: UsageWindowOptions): Promise<Sample> {
  const measured = await measure();
  return { takenAt: clock.monotonic(), measured };
}

function keep(kept: readonly Sample[], sample: Sample): readonly Sample[] {
  const fresh = kept.filter(({ takenAt }) => sample.takenAt - takenAt <= MAX_WINDOW_MS);
  const last = fresh.at(-1);
  return last !== undefined && sample.takenAt - last.takenAt < SPACING_MS ? fresh : [...fresh, sample];
}

function reportBetween(base: Sample, sample: Sample): UsageReport {
  const { now, host, containers } = sample.measured;
  const windowMs = sample.takenAt - base.takenAt;
  const before = new Map(base.measured.containers.map(({ usage }) => [usage.id, usage.cpuNanoseconds]));
  const used = containers.map(({ namespace, pod, container, startedAt, usage }) => {
    const known = before.get(usage.id);
    // What has started since has used all it ever used since then.
    const lived = known === undefined ? Math.max(now - startedAt, FIRST_WINDOW_MS) : windowMs;
    const cpuNanocores = rate(usage.cpuNanoseconds - (known ?? 0), lived);
    return { namespace, pod, use: { name: container, cpuNanocores, memoryBytes: usage.workingSetBytes } };
  });
  return {
    at: now,
    windowMs,
    node: {
      cpuNanocores: rate((host.cpuSeconds - base.measured.host.cpuSeconds) * 1e9, windowMs),
      memoryBytes: host.memoryTotal - host.memoryAvailable,
    },
    pods: Map.groupBy(used, ({ namespace, pod }) => `${namespace}/${pod}`)
      .values()
      .map(podOf)
      .toArray(),
  };
}

type ContainerOfPod = Pick<PodUse, 'namespace'> & { readonly pod: string; readonly use: PodUse['containers'][number] };

function podOf(members: readonly ContainerOfPod[]): PodUse {
  const [{ namespace, pod } = { namespace: '', pod: '' }] = members;
  return { namespace, name: pod, containers: members.map(({ use }) => use) };
}

/** Nanoseconds of work over milliseconds of time, in billionths of a core; a counter that went back counts as still. */
function rate(nanoseconds: number, milliseconds: number): number {
  return milliseconds <= 0 ? 0 : Math.max(0, Math.round((nanoseconds / milliseconds) * 1000));
}
