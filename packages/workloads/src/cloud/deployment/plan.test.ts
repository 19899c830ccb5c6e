import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment, DeploymentSpec, PodTemplateSpec, ReplicaSet } from '@skerry/api/types';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { maxSurge, maxUnavailable, replicasOf } from './bounds.ts';
import { DEPLOYMENT, type DeploymentPlan, planDeployment } from './plan.ts';
import { REVISION } from './revisions.ts';
import { isComplete } from './status.ts';

const NOW = Date.UTC(2026, 0, 1);

type Spec = Partial<Omit<DeploymentSpec, 'template'>> & { readonly image?: string };

function deploymentOf({ image = 'v1', ...spec }: Spec, more: Partial<Deployment> = {}): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'shop', uid: 'u', generation: 1 },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      template: templateOf(image),
      progressDeadlineSeconds: 600,
      revisionHistoryLimit: 10,
      ...spec,
    },
    ...more,
  };
}

function templateOf(image: string): PodTemplateSpec {
  return { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'main', image }] } };
}

/** A cloud of one Deployment in memory: carries plans out, and lets pods become available when told. */
class Simulation {
  deployment: Deployment;
  replicaSets: ReplicaSet[] = [];
  now = NOW;
  readonly events: string[] = [];

  constructor(deployment: Deployment) {
    this.deployment = deployment;
  }

  change({ image, ...spec }: Spec): void {
    const { metadata, spec: before } = this.deployment;
    const template = image === undefined ? before?.template : templateOf(image);
    this.deployment = {
      ...this.deployment,
      metadata: { ...metadata, generation: (metadata.generation ?? 0) + 1 },
      spec: { ...before, ...spec, template: template ?? {} },
    };
  }

  plan(): DeploymentPlan {
    const { deployment, replicaSets, now } = this;
    return planDeployment({ deployment, replicaSets, podsOf: () => [], cutOffNode: () => undefined, now });
  }

  /** One round; gives back whether anything was done. */
  round(): boolean {
    const { create, update, remove, status, revision } = this.plan();
    if (create !== undefined) {
      this.events.push(`new ${replicasOf(create)}`);
      const creationTimestamp = new Date(NOW + this.replicaSets.length * 1000).toISOString();
      const metadata = { ...create.metadata, uid: create.metadata.name ?? '', creationTimestamp };
      this.replicaSets.push({ ...create, metadata, status: { replicas: 0 } });
    }
    for (const { replicaSet, from } of update) {
      if (replicasOf(replicaSet) !== from)
        this.events.push(`${this.imageOf(replicaSet)} ${from}→${replicasOf(replicaSet)}`);
      this.replicaSets = this.replicaSets.map((one) =>
        one.metadata.name === replicaSet.metadata.name ? replicaSet : one,
      );
    }
    this.replicaSets = this.replicaSets.filter(
      (one) => !remove.some(({ metadata }) => metadata.name === one.metadata.name),
    );
    const annotations =
      revision === undefined ? {} : { annotations: { ...this.deployment.metadata.annotations, [REVISION]: revision } };
    const before = JSON.stringify(this.deployment);
    this.deployment = { ...this.deployment, metadata: { ...this.deployment.metadata, ...annotations }, status };
    return create !== undefined || update.length > 0 || remove.length > 0 || before !== JSON.stringify(this.deployment);
  }

  /** ReplicaSet controllers and nodes do their part; `ready` says how many more pods of each become available at most. */
  live(ready: (replicaSet: ReplicaSet) => number): void {
    this.replicaSets = this.replicaSets.map((replicaSet) => {
      const replicas = replicasOf(replicaSet);
      const available = Math.min(replicas, (replicaSet.status?.availableReplicas ?? 0) + ready(replicaSet));
      return { ...replicaSet, status: { replicas, readyReplicas: available, availableReplicas: available } };
    });
  }

  settle(ready: (replicaSet: ReplicaSet) => number = () => Number.POSITIVE_INFINITY): void {
    for (let round = 0; round < 500; round++) {
      const acted = this.round();
      const before = JSON.stringify(this.replicaSets);
      this.live(ready);
      if (!acted && before === JSON.stringify(this.replicaSets)) return;
    }
    assert.fail('the rollout never comes to rest');
  }

  sizes(): Record<string, number> {
    return Object.fromEntries(this.replicaSets.map((one) => [this.imageOf(one), replicasOf(one)]));
  }

  condition(type: string): string | undefined {
    const found = this.deployment.status?.conditions?.find((one) => one.type === type);
    return found && `${found.status} ${found.reason}`;
  }

  imageOf({ spec }: ReplicaSet): string {
    return spec?.template?.spec?.containers[0]?.image ?? '';
  }
}

/** Settles a Deployment of `spec`, applies `changes` one after the other, and compares what happened after that. */
function check(
  spec: Spec,
  changes: readonly Spec[],
  expected: { events?: string[]; sizes?: object; progressing?: string },
): void {
  const simulation = new Simulation(deploymentOf(spec));
  simulation.settle();
  simulation.events.length = 0;
  for (const change of changes) {
    simulation.change(change);
    simulation.settle();
  }
  if (expected.events !== undefined) assert.deepEqual(simulation.events, expected.events);
  if (expected.sizes !== undefined) assert.deepEqual(simulation.sizes(), expected.sizes);
  if (expected.progressing !== undefined) assert.equal(simulation.condition('Progressing'), expected.progressing);
}

test('the first ReplicaSet is made with all its pods, named after the hash of its template', () => {
  const { create, revision, status } = new Simulation(deploymentOf({})).plan();
  assert.equal(replicasOf(create ?? deploymentOf({ replicas: 0 })), 3);
  const hash = create?.metadata.labels?.['pod-template-hash'];
  assert.match(hash ?? '', /^[a-z0-9]{6,10}$/);
  assert.equal(create?.metadata.name, `web-${hash}`);
  assert.deepEqual(create?.spec?.selector?.matchLabels, { app: 'web', 'pod-template-hash': hash });
  assert.deepEqual(create?.metadata.annotations, {
    'deployment.kubernetes.io/revision': '1',
    'deployment.kubernetes.io/desired-replicas': '3',
    'deployment.kubernetes.io/max-replicas': '4',
  });
  assert.equal(create?.metadata.ownerReferences?.[0]?.kind, DEPLOYMENT.kind);
  assert.equal(revision, '1');
  assert.deepEqual(
    status.conditions?.map(({ type, status: is, reason }) => `${type} ${is} ${reason}`),
    ['Available False MinimumReplicasUnavailable', 'Progressing True NewReplicaSetCreated'],
  );
});

test('a rolling update goes up by the surge and down as pods become available', () =>
  check({}, [{ image: 'v2' }], {
    events: ['new 1', 'v1 3→2', 'v2 1→2', 'v1 2→1', 'v2 2→3', 'v1 1→0'],
    sizes: { v1: 0, v2: 3 },
    progressing: 'True NewReplicaSetAvailable',
  }));

test('without surge an old pod goes first', () =>
  check({ strategy: { rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } } }, [{ image: 'v2' }], {
    events: ['new 0', 'v1 3→2', 'v2 0→1', 'v1 2→1', 'v2 1→2', 'v1 1→0', 'v2 2→3'],
  }));

test('Recreate takes all old pods away before the first new one', () =>
  check({ strategy: { type: 'Recreate' } }, [{ image: 'v2' }], { events: ['v1 3→0', 'new 3'] }));

test('Recreate waits for pods that are still on their way out', () => {
  const simulation = new Simulation(deploymentOf({ strategy: { type: 'Recreate' } }));
  simulation.settle();
  simulation.change({ image: 'v2' });
  simulation.settle();
  const { deployment, replicaSets, now } = simulation;
  const old = replicaSets.filter((one) => simulation.imageOf(one) === 'v1');
  const going = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'a', deletionTimestamp: 'x' },
    status: { phase: 'Running' as const },
  };
  const plan = planDeployment({
    deployment,
    replicaSets: old,
    podsOf: () => [going],
    cutOffNode: () => undefined,
    now,
  });
  assert.equal(plan.create, undefined);
});

test('scaling a settled Deployment resizes its one ReplicaSet', () =>
  check({}, [{ replicas: 10 }, { replicas: 2 }], { events: ['v1 3→10', 'v1 10→2'], sizes: { v1: 2 } }));

test('scaling in the middle of a rollout keeps the proportions', () => {
  const simulation = new Simulation(
    deploymentOf({ replicas: 10, strategy: { rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } } }),
  );
  simulation.settle();
  simulation.change({ image: 'v2' });
  simulation.settle((one) => (simulation.imageOf(one) === 'v2' ? 0 : 100));
  assert.deepEqual(simulation.sizes(), { v1: 8, v2: 5 });
  simulation.change({ replicas: 15 });
  simulation.settle((one) => (simulation.imageOf(one) === 'v2' ? 0 : 100));
  assert.deepEqual(simulation.sizes(), { v1: 11, v2: 7 });
});

test('a paused Deployment does not roll out, but scales', () => {
  check({}, [{ paused: true, image: 'v2' }], { sizes: { v1: 3 }, progressing: 'Unknown DeploymentPaused' });
  check({}, [{ paused: true, image: 'v2' }, { replicas: 5 }], { sizes: { v1: 5 } });
  check({}, [{ paused: true, image: 'v2' }, { paused: false }], { sizes: { v1: 0, v2: 3 } });
});

test('going back to an old template takes its ReplicaSet again, under a new revision that remembers the old one', () => {
  const simulation = new Simulation(deploymentOf({}));
  simulation.settle();
  for (const image of ['v2', 'v1']) {
    simulation.change({ image });
    simulation.settle();
  }
  assert.deepEqual(simulation.sizes(), { v1: 3, v2: 0 });
  const annotations = simulation.replicaSets[0]?.metadata.annotations;
  assert.equal(annotations?.[REVISION], '3');
  assert.equal(annotations?.['deployment.kubernetes.io/revision-history'], '1');
  assert.equal(simulation.deployment.metadata.annotations?.[REVISION], '3');
});

test('annotations of the Deployment are on its ReplicaSet, save for those that are about one object alone', () => {
  const annotations = { 'kubernetes.io/change-cause': 'why', 'kubectl.kubernetes.io/last-applied-configuration': '{}' };
  const deployment = deploymentOf({});
  const { create } = new Simulation({ ...deployment, metadata: { ...deployment.metadata, annotations } }).plan();
  assert.equal(create?.metadata.annotations?.['kubernetes.io/change-cause'], 'why');
  assert.equal(create?.metadata.annotations?.['kubectl.kubernetes.io/last-applied-configuration'], undefined);
});

test('empty old ReplicaSets beyond the limit go, the oldest first', () =>
  check({ revisionHistoryLimit: 1 }, [{ image: 'v2' }, { image: 'v3' }, { image: 'v4' }], { sizes: { v3: 0, v4: 3 } }));

test('a rollout that stands still is late after its deadline, and says so until it moves again', () => {
  const simulation = new Simulation(deploymentOf({ progressDeadlineSeconds: 60 }));
  simulation.settle(() => 0);
  assert.equal(simulation.plan().recheckAfterMs, 61_000);
  simulation.now += 61_000;
  simulation.settle(() => 0);
  assert.equal(simulation.condition('Progressing'), 'False ProgressDeadlineExceeded');
  assert.equal(simulation.plan().recheckAfterMs, undefined);
  simulation.settle(() => 1);
  assert.equal(simulation.condition('Progressing'), 'True NewReplicaSetAvailable');
});

test('a failure of a ReplicaSet shows on the Deployment', () => {
  const simulation = new Simulation(deploymentOf({}));
  simulation.settle();
  const conditions = [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: 'quota' }];
  simulation.replicaSets = simulation.replicaSets.map((one) => ({
    ...one,
    status: { replicas: 3, ...one.status, conditions },
  }));
  simulation.round();
  assert.equal(simulation.condition('ReplicaFailure'), 'True FailedCreate');
});

test('a Deployment that is being deleted only reports', () => {
  const deployment = deploymentOf({});
  const plan = new Simulation({ ...deployment, metadata: { ...deployment.metadata, deletionTimestamp: 'x' } }).plan();
  assert.equal(plan.create, undefined);
  assert.deepEqual(plan.update, []);
});

const amount = fc.oneof(
  fc.integer({ min: 0, max: 4 }),
  fc.integer({ min: 0, max: 100 }).map((percent) => `${percent}%`),
);

test('whatever the limits and whenever pods become available, a rollout ends, within its bounds all the way', () =>
  fc.assert(
    fc.property(
      fc.record({ replicas: fc.integer({ min: 0, max: 12 }), maxSurge: amount, maxUnavailable: amount }),
      fc.array(fc.constantFrom('v1', 'v2', 'v3'), { minLength: 1, maxLength: 3 }),
      fc.infiniteStream(fc.integer({ min: 0, max: 3 })),
      (limits, images, pace) => {
        const { replicas, ...rollingUpdate } = limits;
        const simulation = new Simulation(deploymentOf({ replicas, strategy: { rollingUpdate } }));
        simulation.settle();
        for (const image of images) {
          simulation.change({ image });
          for (let round = 0; round < 30; round++) {
            simulation.round();
            const { deployment, replicaSets } = simulation;
            const total = replicaSets.reduce((sum, one) => sum + replicasOf(one), 0);
            assert.ok(total <= replicas + maxSurge(deployment), `${total} pods of ${replicas}`);
            simulation.live(() => pace.next().value);
            const available = simulation.replicaSets.reduce(
              (sum, one) => sum + (one.status?.availableReplicas ?? 0),
              0,
            );
            assert.ok(available >= replicas - maxUnavailable(deployment), `${available} available of ${replicas}`);
          }
        }
        simulation.settle();
        assert.ok(isComplete(simulation.deployment, simulation.deployment.status ?? {}));
      },
    ),
    { numRuns: runs(200) },
  ));
