/** A real node that runs short: its disk is a small one of its own, its thresholds are made for the occasion. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually, skipWithout } from '@skerry/testkit/processes';
import type { Container, Pod } from '../pod/types.ts';
import { type ScratchNode, scratchNode } from '../testing/scratch-node.ts';
import { type EvictionSettings, parseGracePeriods, parseReclaim, parseThresholds, thresholdsOf } from './thresholds.ts';

const skip = skipWithout('root', 'bubblewrap');
const EVERY_MS = 50;
/** Whatever a machine has, it has less than this. */
const MORE_THAN_ALL = '1Ei';

let disk: string;
before(() => {
  if (skip !== false) return;
  disk = mkdtempSync(join(tmpdir(), 'skerry-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', disk]);
});
after(() => {
  if (skip !== false) return;
  execFileSync('umount', ['--lazy', disk]);
  rmSync(disk, { recursive: true });
});

function settings(hard: string, soft = '', grace = ''): EvictionSettings {
  const thresholds = thresholdsOf({
    hard: parseThresholds(hard),
    soft: parseThresholds(soft),
    softGrace: parseGracePeriods(grace),
    minimumReclaim: parseReclaim(''),
  });
  return { thresholds, maxPodGraceSeconds: 0, pressureTransitionMs: 0 };
}

/** Until it is told otherwise, the node has enough of everything. */
class Site {
  readonly node: ScratchNode;
  readonly #setRules: (rules: EvictionSettings) => void;

  constructor(node: ScratchNode, setRules: (rules: EvictionSettings) => void) {
    this.node = node;
    this.#setRules = setRules;
  }

  /** By a restart of the agent: what runs is there before. */
  async runShort(hard: string, soft = '', grace = ''): Promise<void> {
    this.#setRules(settings(hard, soft, grace));
    await this.node.restartAgent();
  }
}

function story(name: string, tell: (site: Site) => Promise<void>): void {
  test(name, { skip }, async () => {
    let rules = settings('');
    await using node = await scratchNode({ eviction: { settings: () => rules, disk, everyMs: EVERY_MS } });
    await tell(
      new Site(node, (next) => {
        rules = next;
      }),
    );
  });
}

const shell = (script: string): Partial<Container> => ({ command: ['sh', '-c', script] });
const isRunning = ({ status }: Pod) => status?.phase === 'Running';
const isEvicted = ({ status }: Pod) => status?.phase === 'Failed' && status.reason === 'Evicted';
const volumes = [{ name: 'scratch', emptyDir: {} }];
const volumeMounts = [{ name: 'scratch', mountPath: '/scratch' }];

story('who fills the disk goes, and what it held is free again', async (site) => {
  const { node } = site;
  await site.runShort('nodefs.available<50%');
  await node.run('modest', { ...shell('echo hello > /scratch/f; exec sleep 1000'), volumeMounts }, { volumes });
  await node.until('modest', isRunning);
  const fill = 'dd if=/dev/zero of=/scratch/f bs=1M count=40 2>/dev/null; exec sleep 1000';
  await node.run('filler', { ...shell(fill), volumeMounts }, { volumes });
  const evicted = await node.until('filler', isEvicted);
  const shortage =
    /^The node was low on resource: ephemeral-storage. Threshold quantity: 32Mi, available: \d+(Ki|Mi). $/;
  assert.match(evicted.status?.message ?? '', shortage);
  const target = evicted.status?.conditions?.find(({ type }) => type === 'DisruptionTarget');
  assert.deepEqual([target?.status, target?.reason], ['True', 'TerminationByKubelet']);
  await eventually('its volume is gone', () => !existsSync(join(disk, 'pods', evicted.metadata.uid ?? '', 'volumes')));
  await eventually('the pressure is over', () => node.pressures().length === 0);
  assert.ok(isRunning(await node.until('modest', () => true)), 'who used little stays');
  await eventually('the event is written', async () =>
    (await node.events('filler')).some((event) => event.startsWith('Warning Evicted The node was low on')),
  );
});

story(
  'a node short of memory ends one pod after the other, spares the critical, and takes no new ones',
  async (site) => {
    const { node } = site;
    await node.client.create(
      { group: 'scheduling.k8s.io', version: 'v1', resource: 'priorityclasses' },
      {
        apiVersion: 'scheduling.k8s.io/v1',
        kind: 'PriorityClass',
        metadata: { name: 'system-node-critical' },
        value: 2_000_001_000,
      },
    );
    await node.run('asks', { ...shell('exec sleep 1000'), resources: { requests: { memory: '1Gi' } } });
    await node.run('greedy', shell('exec sleep 1000'));
    await node.run('critical', shell('exec sleep 1000'), { priorityClassName: 'system-node-critical' });
    for (const name of ['asks', 'greedy', 'critical']) await node.until(name, isRunning);
    await site.runShort(`memory.available<${MORE_THAN_ALL}`);
    const greedy = await node.until('greedy', isEvicted);
    assert.match(
      greedy.status?.message ?? '',
      /^The node was low on resource: memory. Threshold quantity: 1Ei, available: /,
    );
    assert.match(
      greedy.status?.message ?? '',
      /Container main was using \d+(Ki|Mi), request is 0, has larger consumption/,
    );
    await node.until('asks', isEvicted);
    await node.run('late', shell('exec sleep 1000'));
    const refused = await node.until('late', isEvicted);
    assert.equal(refused.status?.message, 'Pod was rejected: The node had condition: [MemoryPressure]. ');
    assert.equal(refused.status?.containerStatuses?.[0]?.containerID, undefined, 'it never ran');
    assert.ok(isRunning(await node.until('critical', () => true)));
  },
);

story('a node short of processes ends whoever has the most, once the grace period is over', async (site) => {
  const { node } = site;
  await node.run('few', shell('exec sleep 1000'));
  await node.run('many', shell('for i in 1 2 3 4 5; do sleep 1000 & done; wait'));
  for (const name of ['few', 'many']) await node.until(name, isRunning);
  await eventually('all its processes are there', async () =>
    (await node.runtime.usage()).some(({ processes }) => processes >= 6),
  );
  await site.runShort('', `pid.available<${MORE_THAN_ALL}`, 'pid.available=100ms');
  const first = await eventually('one of them goes', async () => {
    const both = await Promise.all(['few', 'many'].map((name) => node.get(name)));
    return both.find((pod) => pod !== undefined && isEvicted(pod));
  });
  assert.equal(first.metadata.name, 'many');
  assert.match(first.status?.message ?? '', /^The node was low on resource: pids. Threshold quantity: /);
});

story('limits of volumes and containers are kept on a node that has enough', async ({ node }) => {
  const write = (at: string) => shell(`dd if=/dev/zero of=${at} bs=1M count=4 2>/dev/null; exec sleep 1000`);
  const small = [{ name: 'scratch', emptyDir: { sizeLimit: '1Mi' } }];
  await node.run('volume', { ...write('/scratch/f'), volumeMounts }, { volumes: small });
  const limits = { 'ephemeral-storage': '1Mi' };
  await node.run('logs', {
    ...shell('while :; do head -c 50000 /dev/zero | tr "\\0" x; echo; sleep 0.01; done'),
    resources: { limits },
  });
  const [volume, logs] = [await node.until('volume', isEvicted), await node.until('logs', isEvicted)];
  assert.equal(volume.status?.message, 'Usage of EmptyDir volume "scratch" exceeds the limit "1Mi". ');
  assert.equal(logs.status?.message, 'Pod ephemeral local storage usage exceeds the total limit of containers 1Mi. ');
});
