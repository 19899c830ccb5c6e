import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment, Pod, ReplicaSet } from '@skerry/api/types';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { WAITING_FOR_NODES } from '../cut-off.ts';
import { maxSurge, maxUnavailable, replicasOf } from './bounds.ts';
import { planDeployment } from './plan.ts';

const NOW = Date.UTC(2026, 0, 1);
const MAX_ROUNDS = 300;

interface SimulatedPod {
  readonly replicaSet: string;
  readonly isCutOff: boolean;
  isAvailable: boolean;
}

interface Story {
  readonly replicas: number;
  readonly cutOff: number;
  readonly surge: number | string;
  readonly unavailable: number | string;
  /** How many pods become available after each round, again and again. */
  readonly readiness: readonly number[];
}

/** One Deployment that was whole with `v1`, of which some pods are out of reach when `v2` comes. */
class Site {
  deployment: Deployment;
  replicaSets: ReplicaSet[] = [];
  pods: SimulatedPod[] = [];

  constructor({ replicas, surge, unavailable }: Story) {
    const rollingUpdate = { maxSurge: surge, maxUnavailable: unavailable };
    this.deployment = {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'shop', uid: 'u', generation: 1 },
      spec: {
        replicas,
        selector: { matchLabels: { app: 'web' } },
        template: templateOf('v1'),
        strategy: { type: 'RollingUpdate', rollingUpdate },
        progressDeadlineSeconds: 600,
      },
    };
  }

  setImage(image: string): void {
    const { spec } = this.deployment;
    this.deployment = { ...this.deployment, spec: { ...spec, template: templateOf(image) } } as Deployment;
  }

  /** Deployment controller, then ReplicaSet controller, which leaves what is out of reach for last. */
  round(): void {
    const { deployment, replicaSets } = this;
    const plan = planDeployment({
      deployment,
      replicaSets,
      podsOf: ({ metadata }) => this.pods.filter((pod) => pod.replicaSet === metadata.name).map(asPod),
      cutOffNode: ({ spec }) => (spec?.nodeName === 'far' ? 'far' : undefined),
      now: NOW,
    });
    if (plan.create !== undefined) {
      const metadata = { ...plan.create.metadata, uid: plan.create.metadata.name ?? '' };
      this.replicaSets = [...replicaSets, { ...plan.create, metadata }];
    }
    const changed = new Map(plan.update.map(({ replicaSet }) => [replicaSet.metadata.name, replicaSet]));
    this.replicaSets = this.replicaSets.map((one) => changed.get(one.metadata.name) ?? one);
    this.deployment = { ...deployment, status: plan.status };
    for (const replicaSet of this.replicaSets) this.#keepUp(replicaSet);
    this.#report();
  }

  becomeAvailable(count: number): void {
    const waiting = this.pods.filter(({ isCutOff, isAvailable }) => !isCutOff && !isAvailable);
    for (const pod of waiting.slice(0, count)) pod.isAvailable = true;
    this.#report();
  }

  #keepUp(replicaSet: ReplicaSet): void {
    const name = replicaSet.metadata.name ?? '';
    const own = this.pods.filter((pod) => pod.replicaSet === name);
    const missing = replicasOf(replicaSet) - own.length;
    for (let made = 0; made < missing; made++) {
      this.pods.push({ replicaSet: name, isCutOff: false, isAvailable: false });
    }
    const going = own.sort((one, other) => rank(one) - rank(other)).slice(0, Math.max(0, -missing));
    this.pods = this.pods.filter((pod) => !going.includes(pod));
  }

  #report(): void {
    this.replicaSets = this.replicaSets.map((replicaSet) => {
      const own = this.pods.filter((pod) => pod.replicaSet === replicaSet.metadata.name);
      const availableReplicas = own.filter(isServing).length;
      return { ...replicaSet, status: { replicas: own.length, readyReplicas: availableReplicas, availableReplicas } };
    });
  }
}

function rank({ isCutOff, isAvailable }: SimulatedPod): number {
  return isCutOff ? 2 : isAvailable ? 1 : 0;
}

/** Nobody counts on what is out of reach. */
function isServing({ isCutOff, isAvailable }: SimulatedPod): boolean {
  return isAvailable && !isCutOff;
}

function templateOf(image: string) {
  return { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image }] } };
}

function asPod({ isCutOff }: SimulatedPod): Pod {
  return { apiVersion: 'v1', kind: 'Pod', metadata: {}, spec: { containers: [], nodeName: isCutOff ? 'far' : 'near' } };
}

function run(story: Story): void {
  const { replicas, cutOff, readiness } = story;
  const site = new Site(story);
  for (let round = 0; round < 4; round++) {
    site.round();
    site.becomeAvailable(replicas);
  }
  const old = site.pods[0]?.replicaSet;
  site.pods = site.pods.map((pod, index) => ({ ...pod, isCutOff: index < cutOff }));
  site.becomeAvailable(0);
  site.setImage('v2');

  const share = { ...site.deployment, spec: { ...site.deployment.spec, replicas: replicas - cutOff } } as Deployment;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    site.round();
    assert.equal(site.pods.filter(({ isCutOff }) => isCutOff).length, cutOff, 'what is out of reach stays');
    assert.ok(site.pods.length <= replicas + maxSurge(share), `${site.pods.length} pods at once`);
    const serving = site.pods.filter(isServing).length;
    assert.ok(serving >= replicas - cutOff - maxUnavailable(share), `${serving} pods serve`);
    site.becomeAvailable(readiness[round % readiness.length] ?? 0);
  }
  const near = site.pods.filter(({ isCutOff }) => !isCutOff);
  assert.equal(near.length, replicas - cutOff);
  assert.ok(near.every(({ replicaSet }) => replicaSet !== old));
  const waits = site.deployment.status?.conditions?.some(({ type }) => type === WAITING_FOR_NODES);
  assert.equal(waits, cutOff > 0);
}

const bound = fc.oneof(
  fc.integer({ min: 0, max: 5 }),
  fc.integer({ min: 0, max: 100 }).map((percent) => `${percent}%`),
);
const stories = fc
  .record({
    replicas: fc.integer({ min: 1, max: 12 }),
    cutOff: fc.integer({ min: 0, max: 12 }),
    surge: bound,
    unavailable: bound,
    readiness: fc
      .array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 6 })
      .filter((each) => Math.max(...each) > 0),
  })
  .map((story) => ({ ...story, cutOff: Math.min(story.cutOff, story.replicas) }));

test('whatever is cut off: it is left alone, and within reach surge, availability and the end are as they should be', () => {
  fc.assert(fc.property(stories, run), { numRuns: runs(100) });
});
