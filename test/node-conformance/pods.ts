/** The life of a pod: created, bound, started, watched, updated, ended. */
import assert from 'node:assert/strict';
import type { Pod } from '@skerry/api/types';
import { conditionOf, IDLE, isOver, isReady, type Requirement, statusOf } from './lab.ts';

export const PODS: readonly Requirement[] = [
  {
    states: 'a pod gets the address of its host, and one of its own',
    check: async (lab) => {
      const { status } = await lab.start();
      assert.ok(status?.hostIP);
      assert.equal(status.hostIPs?.[0]?.ip, status.hostIP);
      assert.equal(status.podIPs?.[0]?.ip, status.podIP);
      assert.ok(status.podIP);
    },
  },
  {
    states: 'whoever watches sees a pod come, go with its deletion time, and be deleted',
    check: async (lab) => {
      const aborter = new AbortController();
      const seen: { type: string; object: Pod }[] = [];
      await lab.start({ spec: { terminationGracePeriodSeconds: 30 } });
      for await (const event of lab.watch('pod', aborter.signal)) {
        if (seen.length === 0) await lab.delete('pod', 30);
        seen.push(event);
        if (event.type === 'DELETED') break;
      }
      aborter.abort();
      assert.equal(seen[0]?.type, 'ADDED');
      const last = seen.at(-1)?.object;
      assert.ok(last?.metadata.deletionTimestamp);
      assert.equal(last.spec?.terminationGracePeriodSeconds, 30);
      assert.deepEqual(await lab.list('pod'), []);
    },
  },
  {
    states: 'new labels and annotations restart nothing',
    check: async (lab) => {
      const before = await lab.start({ metadata: { labels: { time: 'one' } } });
      await lab.patch({ metadata: { labels: { time: 'two' }, annotations: { note: 'new' } } });
      const after = await lab.until('its label', ({ metadata }) => metadata.labels?.['time'] === 'two');
      assert.equal(statusOf(after)?.containerID, statusOf(before)?.containerID);
      assert.equal(after.metadata.generation, before.metadata.generation);
    },
  },
  {
    states: 'a deadline set while the pod runs ends it as DeadlineExceeded',
    check: async (lab) => {
      await lab.start();
      await lab.patch({ spec: { activeDeadlineSeconds: 1 } });
      const { status } = await lab.until('it has failed', isOver);
      assert.equal(status?.phase, 'Failed');
      assert.equal(status.reason, 'DeadlineExceeded');
      assert.equal(status.message, 'Pod was active on the node longer than the specified deadline');
    },
  },
  {
    states: 'a pod is guaranteed, burstable or best effort by its requests and limits',
    check: async (lab) => {
      const resources = { cpu: '10m', memory: '16Mi' };
      const classOf = async (name: string, container: object) =>
        (await lab.create({ name, container })).status?.qosClass;
      assert.equal(await classOf('one', { resources: { requests: resources, limits: resources } }), 'Guaranteed');
      assert.equal(await classOf('two', { resources: { requests: resources } }), 'Burstable');
      assert.equal(await classOf('three', {}), 'BestEffort');
      const { status } = await lab.until('it is ready', isReady, 'one');
      assert.equal(status?.qosClass, 'Guaranteed');
    },
  },
  {
    states: 'a running pod has all conditions, and they say which generation they are about',
    check: async (lab) => {
      const pod = await lab.start();
      for (const type of ['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled']) {
        assert.equal(conditionOf(pod, type)?.status, 'True', type);
        assert.equal(conditionOf(pod, type)?.observedGeneration, 1, type);
      }
      assert.equal(statusOf(pod)?.started, true);
      assert.ok(statusOf(pod)?.state?.running?.startedAt);
      assert.ok(pod.status?.startTime);
    },
  },
  {
    states:
      'the generation begins at 1, grows with each change of the spec and with a deletion, and the node observes it',
    check: async (lab) => {
      const plan = { metadata: { generation: 100 }, spec: { terminationGracePeriodSeconds: 60 } };
      const created = await lab.create({ script: 'trap "sleep 1; exit 0" TERM; while :; do sleep 0.1; done', ...plan });
      assert.equal(created.metadata.generation, 1);
      await lab.until(
        'it is observed',
        ({ status }) => isReady({ ...created, status: status ?? {} }) && status?.observedGeneration === 1,
      );
      for (const seconds of [1000, 900, 800]) await lab.patch({ spec: { activeDeadlineSeconds: seconds } });
      const changed = await lab.until('all is observed', ({ status }) => status?.observedGeneration === 4);
      assert.equal(changed.metadata.generation, 4);
      await lab.delete();
      const ending = await lab.until('its deletion', ({ metadata }) => metadata.deletionTimestamp !== undefined);
      assert.equal(ending.metadata.generation, 5);
      await lab.gone();
    },
  },
  {
    states: 'a status that others patch stays where the node has no say',
    check: async (lab) => {
      await lab.start();
      const condition = { type: 'example.com/seen', status: 'True', reason: 'Looked' };
      await lab.patch({ status: { conditions: [condition] } }, 'pod', 'status');
      await lab.patch({ spec: { activeDeadlineSeconds: 1000 } });
      const pod = await lab.until('the node has written', ({ status }) => status?.observedGeneration === 2);
      assert.equal(conditionOf(pod, 'example.com/seen')?.reason, 'Looked');
    },
  },
  {
    states: 'a pod is ready only when its readiness gates are met',
    check: async (lab) => {
      await lab.create({ spec: { readinessGates: [{ conditionType: 'example.com/gate' }] } });
      const held = await lab.until(
        'its containers are ready',
        (pod) => conditionOf(pod, 'ContainersReady')?.status === 'True',
      );
      assert.equal(conditionOf(held, 'Ready')?.status, 'False');
      assert.equal(conditionOf(held, 'Ready')?.reason, 'ReadinessGatesNotReady');
      await lab.patch({ status: { conditions: [{ type: 'example.com/gate', status: 'True' }] } }, 'pod', 'status');
      await lab.until('it is ready', isReady);
    },
  },
  {
    states: 'a pod that is deleted before it runs goes at once',
    check: async (lab) => {
      await lab.create({ script: IDLE });
      await lab.delete('pod', 0);
      await lab.gone();
    },
  },
  {
    states: 'a pod that ignores the signal is killed when its grace is over',
    check: async (lab) => {
      await lab.start({
        script: 'trap "" TERM; while :; do sleep 0.1; done',
        spec: { terminationGracePeriodSeconds: 1 },
      });
      await lab.delete();
      await lab.gone();
    },
  },
];
