/** Pods that a node does not take, and runtimes that it does not have. */
import assert from 'node:assert/strict';
import type { Pod, PodSpec } from '@skerry/api/types';
import { isOver, isReady, type Lab, type Requirement, statusOf } from './lab.ts';

/** Bound past the scheduler, which would have known better. */
async function rejected(lab: Lab, spec: Partial<PodSpec>, reason: string, words: RegExp): Promise<Pod> {
  const { status: before } = await lab.create({ spec: { nodeName: lab.node, ...spec } });
  const pod = await lab.until('its rejection', isOver);
  assert.equal(pod.status?.phase, 'Failed');
  assert.equal(pod.status?.reason, reason);
  assert.match(pod.status?.message ?? '', words);
  assert.equal(pod.status?.qosClass, before?.qosClass);
  assert.equal(pod.status?.observedGeneration, 1);
  assert.equal(statusOf(pod)?.containerID, undefined);
  await lab.hasEvent(new RegExp(`^${reason}: `));
  return pod;
}

const REJECTIONS: readonly Requirement[] = [
  {
    states: 'a pod that asks for more than the node has fails as OutOfcpu',
    check: async (lab) => {
      const containers = [lab.container('true', { resources: { requests: { cpu: '1000000' } } })];
      const words =
        /^Pod was rejected: Node didn't have enough resource: cpu, requested: 1000000000, used: \d+, capacity: \d+$/;
      await rejected(lab, { containers }, 'OutOfcpu', words);
    },
  },
  {
    states: 'a pod that wants another node fails as NodeAffinity',
    check: async (lab) => {
      await rejected(
        lab,
        { nodeSelector: { nowhere: 'true' } },
        'NodeAffinity',
        /^Pod was rejected: Predicate NodeAffinity failed/,
      );
    },
  },
  {
    states: 'a pod for another system fails as PodOSNotSupported',
    check: async (lab) => {
      const os = { name: 'windows' as const };
      await rejected(lab, { os }, 'PodOSNotSupported', /OS field doesn't match node OS$/);
    },
  },
];

async function makeClass(lab: Lab, name: string, more: object): Promise<void> {
  await lab.make({ apiVersion: 'node.k8s.io/v1', kind: 'RuntimeClass', metadata: { name }, ...more } as never);
}

const CLASSES: readonly Requirement[] = [
  {
    states: 'a pod of a class that does not exist is refused',
    check: async (lab) => {
      await assert.rejects(
        lab.create({ spec: { runtimeClassName: 'nonexistent' } }),
        /RuntimeClass "nonexistent" not found/,
      );
    },
  },
  {
    states: 'a pod of a class runs where its handler is, with the overhead of the class',
    check: async (lab) => {
      const name = `class-${lab.namespace}`;
      await makeClass(lab, name, { handler: lab.runtime.name, overhead: { podFixed: { cpu: '10m', memory: '1Mi' } } });
      const pod = await lab.start({ spec: { runtimeClassName: name } });
      assert.deepEqual(pod.spec?.overhead, { cpu: '10m', memory: '1Mi' });
      assert.match(statusOf(pod)?.containerID ?? '', new RegExp(`^${lab.runtime.name}://`));
    },
  },
  {
    states: 'a pod of a class whose handler the node lacks waits, and says so',
    check: async (lab) => {
      const name = `class-${lab.namespace}`;
      await makeClass(lab, name, { handler: 'no-such-handler' });
      await lab.create({ spec: { runtimeClassName: name } });
      await lab.hasEvent(/^FailedCreatePodSandBox: .*no runtime for "no-such-handler" is configured/);
      assert.equal(isReady(await lab.get()), false);
      assert.equal((await lab.get()).status?.phase, 'Pending');
    },
  },
  {
    states: 'a class brings its node selector along, and a pod that contradicts it is refused',
    check: async (lab) => {
      const name = `class-${lab.namespace}`;
      await makeClass(lab, name, {
        handler: lab.runtime.name,
        scheduling: { nodeSelector: { 'kubernetes.io/os': 'linux' } },
      });
      const pod = await lab.start({ spec: { runtimeClassName: name } });
      assert.equal(pod.spec?.nodeSelector?.['kubernetes.io/os'], 'linux');
      const contrary = { runtimeClassName: name, nodeSelector: { 'kubernetes.io/os': 'plan9' } };
      await assert.rejects(lab.create({ name: 'other', spec: contrary }), /conflict/);
    },
  },
];

export const ADMISSION: readonly Requirement[] = [...REJECTIONS, ...CLASSES];
