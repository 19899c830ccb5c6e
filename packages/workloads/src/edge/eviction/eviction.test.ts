import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Container, Pod, PodSpec } from '../pod/types.ts';
import { refusalUnder } from './admission.ts';
import { diskUsageOf } from './disk-usage.ts';
import { isBestEffort, isCritical, type PodUsage, requestOf } from './pod-usage.ts';
import { isCrossed, NO_PRESSURE, type Observations, type Pressure, stepPressure } from './pressure.ts';
import { brokenStorageLimit } from './storage-limits.ts';
import {
  DEFAULT_HARD,
  parseGracePeriods,
  parseReclaim,
  parseThresholds,
  SIGNALS,
  type Threshold,
  thresholdsOf,
  unitsOf,
} from './thresholds.ts';
import { describeEviction, rankVictims } from './victims.ts';

const Mi = 1024 * 1024;

interface Texts {
  readonly hard?: string;
  readonly soft?: string;
  readonly grace?: string;
  readonly reclaim?: string;
}

function thresholds({ hard = '', soft = '', grace = '', reclaim = '' }: Texts): readonly Threshold[] {
  return thresholdsOf({
    hard: parseThresholds(hard),
    soft: parseThresholds(soft),
    softGrace: parseGracePeriods(grace),
    minimumReclaim: parseReclaim(reclaim),
  });
}

/** Looks at the free memory again and again, and writes down each time what holds and what is due. */
function check(
  texts: Texts,
  looks: readonly (readonly [at: number, free: number])[],
  expected: readonly string[],
): void {
  const rules = { thresholds: thresholds(texts), pressureTransitionMs: 300_000 };
  let state = NO_PRESSURE;
  const told = looks.map(([at, free]) => {
    const observations: Observations = new Map([['memory.available', { available: free, capacity: 1000 }]]);
    const step = stepPressure(state, rules, observations, at * 1000);
    state = step.state;
    return `${[...step.pressures]}:${step.due.map(({ graceMs }) => (graceMs === 0 ? 'hard' : 'soft'))}`;
  });
  assert.deepEqual(told, expected);
}

const MEMORY = 'MemoryPressure';

test('a hard threshold counts at once, and its condition stays for the transition period', () =>
  check(
    { hard: 'memory.available<100' },
    [
      [0, 100],
      [10, 99],
      [20, 100],
      [309, 500],
      [310, 500],
    ],
    [':', `${MEMORY}:hard`, `${MEMORY}:`, `${MEMORY}:`, ':'],
  ));
test('a soft threshold is told of at once and counts once its grace period is over', () =>
  check(
    { soft: 'memory.available<100', grace: 'memory.available=30s' },
    [
      [0, 50],
      [29, 50],
      [30, 50],
      [40, 200],
      [50, 50],
    ],
    [`${MEMORY}:`, `${MEMORY}:`, `${MEMORY}:soft`, `${MEMORY}:`, `${MEMORY}:`],
  ));
test('once crossed, the minimum reclaim has to be free as well', () =>
  check(
    { hard: 'memory.available<100', reclaim: 'memory.available=50' },
    [
      [0, 120],
      [10, 90],
      [20, 120],
      [30, 150],
    ],
    [':', `${MEMORY}:hard`, `${MEMORY}:hard`, `${MEMORY}:`],
  ));
test('shares are of what there is', () =>
  check(
    { hard: 'memory.available<10%' },
    [
      [0, 100],
      [10, 99],
    ],
    [':', `${MEMORY}:hard`],
  ));
test('the hard threshold comes before the soft one', () =>
  check(
    { hard: 'memory.available<50', soft: 'memory.available<100', grace: 'memory.available=0s' },
    [[0, 40]],
    [`${MEMORY}:hard,hard`],
  ));

test('thresholds are read as a kubelet reads them, and mistakes are named', () => {
  assert.deepEqual(
    thresholds({ hard: DEFAULT_HARD })
      .map(({ signal }) => signal)
      .sort(),
    [...SIGNALS].sort(),
  );
  assert.deepEqual(thresholds({ hard: '' }), [], 'none is a choice');
  const refused: readonly [Texts, RegExp][] = [
    [{ hard: 'memory.free<1Mi' }, /there is no signal "memory.free", only memory.available/],
    [{ hard: 'memory.available' }, /has to be SIGNAL<VALUE/],
    [{ hard: 'memory.available<1<2' }, /has to be SIGNAL<VALUE/],
    [{ hard: 'memory.available<much' }, /neither a quantity such as 100Mi nor a share such as 10%/],
    [{ hard: 'memory.available<100%' }, /is not less than 100%/],
    [{ hard: 'memory.available<1,memory.available<2' }, /named twice/],
    [{ grace: 'memory.available=soon' }, /must be a duration/],
    [{ soft: 'memory.available<1' }, /--eviction-soft-grace-period has no time for memory.available/],
  ];
  for (const [texts, reason] of refused) assert.throws(() => thresholds(texts), reason);
});

const looks = fc.array(fc.record({ after: fc.nat(200_000), free: fc.nat(1000) }), { maxLength: 30 });

test('Invariant: what is due is crossed now and has been since its grace period; a crossed threshold shows its condition', () => {
  const rules = {
    thresholds: thresholds({
      hard: 'memory.available<10%,pid.available<50',
      soft: 'memory.available<300',
      grace: 'memory.available=1m',
      reclaim: 'memory.available=20',
    }),
    pressureTransitionMs: 100_000,
  };
  fc.assert(
    fc.property(looks, (steps) => {
      let [state, now] = [NO_PRESSURE, 0];
      const below = new Map<Threshold, number>();
      for (const { after, free } of steps) {
        now += after;
        const observed: Observations = new Map([['memory.available', { available: free, capacity: 1000 }]]);
        const { due, pressures, ...next } = stepPressure(state, rules, observed, now);
        for (const threshold of rules.thresholds) {
          const isBelow = isCrossed(threshold, observed, below.has(threshold));
          if (!isBelow) below.delete(threshold);
          else if (!below.has(threshold)) below.set(threshold, now);
          const isDue = isBelow && now - (below.get(threshold) ?? now) >= threshold.graceMs;
          assert.equal(due.includes(threshold), isDue);
          if (isBelow) assert.ok(pressures.has('MemoryPressure'));
        }
        assert.ok(!pressures.has('PIDPressure'), 'what cannot be observed is not short');
        state = next.state;
      }
    }),
  );
});

interface PodSketch {
  readonly name: string;
  readonly used: number;
  readonly request?: string;
  readonly priority?: number;
  readonly annotations?: Record<string, string>;
}

function podWith(name: string, spec: Partial<PodSpec>, annotations: Record<string, string> = {}): Pod {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name, annotations }, spec: { containers: [], ...spec } };
}

function usage({ name, used, request, priority, annotations }: PodSketch): PodUsage {
  const resources = request === undefined ? {} : { requests: { memory: request, 'ephemeral-storage': request } };
  const spec = { containers: [{ name: 'main', resources }], ...(priority === undefined ? {} : { priority }) };
  const total = { memory: used, 'ephemeral-storage': used, pids: used };
  return { pod: podWith(name, spec, annotations), total, containers: { main: total }, emptyDirs: {} };
}

const names = (pods: readonly PodUsage[]) => pods.map(({ pod }) => pod.metadata.name);
const [memory, pids] = [thresholds({ hard: 'memory.available<100Mi' })[0], thresholds({ hard: 'pid.available<1' })[0]];

test('first goes who is over its request, then the least important, then the greediest', () => {
  assert.ok(memory);
  const order = rankVictims(
    [
      usage({ name: 'modest', used: 10 * Mi, request: '20Mi' }),
      usage({ name: 'important', used: 90 * Mi, priority: 1000 }),
      usage({ name: 'little', used: 20 * Mi }),
      usage({ name: 'much', used: 60 * Mi, request: '30Mi' }),
      usage({ name: 'critical', used: 900 * Mi, priority: 2_000_000_000 }),
      usage({ name: 'static', used: 900 * Mi, annotations: { 'kubernetes.io/config.source': 'file' } }),
      usage({ name: 'pretender', used: 70 * Mi, annotations: { 'kubernetes.io/config.mirror': 'x' } }),
    ],
    memory,
  );
  assert.deepEqual(names(order), ['pretender', 'much', 'little', 'important', 'modest']);
});

test('processes cannot be requested: importance and number decide', () => {
  assert.ok(pids);
  const order = rankVictims([usage({ name: 'few', used: 2 }), usage({ name: 'many', used: 20 })], pids);
  assert.deepEqual(names(order), ['many', 'few']);
});

const sketches = fc.array(
  fc.record({
    name: fc.uuid(),
    used: fc.nat(1000),
    request: fc.constantFrom('0', '100', '500'),
    priority: fc.constantFrom(0, 5, 2_000_001_000),
  }),
);

test('Invariant: nobody within its request goes before somebody over it, and nobody critical goes', () => {
  fc.assert(
    fc.property(sketches, (given) => {
      assert.ok(memory);
      const order = rankVictims(given.map(usage), memory);
      const isOver = ({ pod, total }: PodUsage) => (total.memory ?? 0) > requestOf(pod, 'memory');
      assert.deepEqual(
        order.map(isOver),
        order.map(isOver).toSorted((one, other) => Number(other) - Number(one)),
      );
      assert.ok(order.every(({ pod }) => !isCritical(pod)));
      assert.equal(order.length, given.filter(({ priority }) => priority < 2_000_000_000).length);
    }),
  );
});

test('the message names the shortage and who uses more than it asked for', () => {
  assert.ok(memory);
  const observed = { available: 50 * Mi, capacity: 1000 * Mi };
  assert.equal(
    describeEviction(usage({ name: 'p', used: 120 * Mi, request: '64Mi' }), memory, observed),
    'The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. ' +
      'Container main was using 120Mi, request is 64Mi, has larger consumption of memory. ',
  );
});

test('a pod asks for what it runs at once, or for what prepares it', () => {
  const of = (memoryRequest: string, more: Partial<Container> = {}): Container => ({
    name: 'c',
    resources: { requests: { memory: memoryRequest } },
    ...more,
  });
  const request = (spec: Partial<PodSpec>) => requestOf(podWith('p', spec), 'memory');
  assert.equal(request({ containers: [of('10'), of('20')] }), 30);
  assert.equal(request({ containers: [of('10')], initContainers: [of('50')] }), 50);
  assert.equal(request({ containers: [of('10')], initContainers: [of('50', { restartPolicy: 'Always' })] }), 60);
  assert.equal(request({ containers: [of('10')], resources: { requests: { memory: '7' } } }), 7);
});

test('limits of volumes, pods and containers are kept', () => {
  const spec: Partial<PodSpec> = {
    containers: [{ name: 'main', resources: { limits: { 'ephemeral-storage': '10Mi' } } }, { name: 'side' }],
    volumes: [{ name: 'cache', emptyDir: { sizeLimit: '5Mi' } }],
  };
  const broken = (total: number, main: number, cache: number) =>
    brokenStorageLimit({
      pod: podWith('p', spec),
      total: { 'ephemeral-storage': total * Mi },
      containers: { main: { 'ephemeral-storage': main * Mi } },
      emptyDirs: { cache: cache * Mi },
    });
  assert.equal(broken(10, 5, 5), undefined);
  assert.equal(broken(6, 0, 6), 'Usage of EmptyDir volume "cache" exceeds the limit "5Mi". ');
  assert.equal(broken(11, 0, 0), 'Pod ephemeral local storage usage exceeds the total limit of containers 10Mi. ');
  assert.equal(broken(10, 11, 0), 'Container main exceeded its local ephemeral storage limit "10Mi". ');
});

test('a node under pressure takes what it cannot do without, and under memory pressure what has asked for memory', () => {
  const asking = podWith('p', { containers: [{ name: 'c', resources: { requests: { memory: '1Mi' } } }] });
  const greedy = podWith('p', { containers: [{ name: 'c' }] });
  const tolerant = podWith('p', {
    containers: [{ name: 'c' }],
    tolerations: [{ key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' }],
  });
  const critical = podWith('p', { containers: [{ name: 'c' }], priority: 2_000_001_000 });
  const refused = (pod: Pod, ...pressures: Pressure[]) => refusalUnder(new Set(pressures), pod);
  assert.ok(isBestEffort(greedy) && !isBestEffort(asking));
  assert.equal(refused(greedy), undefined);
  assert.equal(refused(greedy, 'MemoryPressure'), 'The node had condition: [MemoryPressure]. ');
  assert.equal(refused(asking, 'MemoryPressure'), undefined);
  assert.equal(refused(tolerant, 'MemoryPressure'), undefined);
  assert.equal(refused(asking, 'PIDPressure', 'DiskPressure'), 'The node had condition: [DiskPressure, PIDPressure]. ');
  assert.equal(refused(critical, 'DiskPressure'), undefined);
});

test('shares are rounded down to whole units', () => assert.equal(unitsOf({ share: 0.15 }, 99), 14));

test('disk usage is what du says, and links lead nowhere', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-du-'));
  try {
    mkdirSync(join(directory, 'a', 'b'), { recursive: true });
    writeFileSync(join(directory, 'a', 'b', 'file'), Buffer.alloc(300_000, 'x'));
    linkSync(join(directory, 'a', 'b', 'file'), join(directory, 'twice'));
    symlinkSync('/usr', join(directory, 'away'));
    const { bytes, inodes } = await diskUsageOf(directory, join(directory, 'absent'));
    const du = execFileSync('du', ['--summarize', '--block-size=1', directory], { encoding: 'utf8' });
    assert.equal(bytes, Number(du.split('\t')[0]));
    assert.equal(inodes, 5);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
