/** What happens around a container: init containers, sidecars, ephemeral containers, hooks, the end. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import type { Pod } from '@skerry/api/types';
import { eventually } from '@skerry/testkit/processes';
import {
  conditionOf,
  IDLE,
  isOver,
  isReady,
  type Lab,
  mounted,
  type Requirement,
  statusOf,
  waitingFor,
} from './lab.ts';
import { Listener } from './listener.ts';

const command = (script: string) => ({ exec: { command: ['/bin/sh', '-c', script] } });
const IN_V = { volumeMounts: [{ name: 'v', mountPath: '/v' }] };

/** All containers share /v. */
function shared(lab: Lab, script: string, inits: Parameters<Lab['container']>[]) {
  const plan = mounted({ emptyDir: {} }, { script });
  const initContainers = inits.map(([text, more]) => lab.container(text, { ...IN_V, ...more }));
  return { ...plan, spec: { ...plan.spec, initContainers } };
}

const INIT: readonly Requirement[] = [
  {
    states: 'init containers run one after the other before the others, each to its success',
    check: async (lab) => {
      const plan = shared(lab, 'cat /v/order', [
        ['sleep 0.3; echo one >> /v/order', { name: 'one' }],
        ['echo two >> /v/order', { name: 'two' }],
      ]);
      const pod = await lab.says(plan, ['one', 'two']);
      const ends = pod.status?.initContainerStatuses?.map(({ ready, state }) => [ready, state?.terminated?.reason]);
      assert.deepEqual(ends, [
        [true, 'Completed'],
        [true, 'Completed'],
      ]);
      assert.equal(conditionOf(pod, 'Initialized')?.reason, 'PodCompleted');
    },
  },
  {
    states: 'an init container that fails is tried again, and nothing else starts',
    check: async (lab) => {
      const plan = shared(lab, IDLE, [
        ['exit 1', { name: 'one' }],
        ['true', { name: 'two' }],
      ]);
      await lab.create({ ...plan, spec: { ...plan.spec, restartPolicy: 'Always' } });
      const pod = await lab.until('its second try', (one) => (statusOf(one, 'one')?.restartCount ?? 0) >= 1);
      assert.equal(pod.status?.phase, 'Pending');
      assert.equal(waitingFor(pod, 'main'), 'PodInitializing');
      assert.equal(conditionOf(pod, 'Initialized')?.message, 'containers with incomplete status: [one two]');
      assert.equal(conditionOf(pod, 'Initialized')?.reason, 'ContainersNotInitialized');
    },
  },
  {
    states: 'an init container that fails in a pod that is never restarted fails the pod',
    check: async (lab) => {
      const { metadata } = await lab.create(
        shared(lab, 'true', [
          ['exit 1', { name: 'one' }],
          ['true', { name: 'two' }],
        ]),
      );
      const pod = await lab.until('it has failed', isOver, metadata.name);
      assert.equal(pod.status?.phase, 'Failed');
      assert.equal(statusOf(pod, 'one')?.state?.terminated?.exitCode, 1);
      assert.equal(waitingFor(pod, 'two'), 'PodInitializing');
      assert.equal(waitingFor(pod, 'main'), 'PodInitializing');
    },
  },
];

const SIDECAR = { restartPolicy: 'Always' as const };

const SIDECARS: readonly Requirement[] = [
  {
    states: 'a sidecar has started before the next container does, and ends after the last',
    check: async (lab) => {
      const side = 'trap "echo side ends >> /v/log; exit 0" TERM; sleep 0.3; touch /v/up; while :; do sleep 0.1; done';
      const startupProbe = { ...command('test -e /v/up'), periodSeconds: 1 };
      const plan = shared(lab, 'test -e /v/up && echo up', [[side, { name: 'side', ...SIDECAR, startupProbe }]]);
      const pod = await lab.says(plan, ['up']);
      assert.equal(pod.status?.phase, 'Succeeded');
      const done = await lab.until(
        'the sidecar has ended',
        (one) => statusOf(one, 'side')?.state?.terminated !== undefined,
      );
      assert.equal(statusOf(done, 'side')?.state?.terminated?.exitCode, 0);
    },
  },
  {
    states: 'a sidecar that ends is started again, whatever the pod’s policy, and its readiness is the pod’s',
    check: async (lab) => {
      const readinessProbe = { ...command('test -e /v/ready'), periodSeconds: 1 };
      const side = '[ -e /v/once ] || { touch /v/once; exit 3; }; trap "exit 0" TERM; while :; do sleep 0.1; done';
      await lab.create(shared(lab, IDLE, [[side, { name: 'side', ...SIDECAR, readinessProbe }]]));
      const held = await lab.until(
        'its restart',
        (pod) => statusOf(pod, 'side')?.restartCount === 1 && statusOf(pod, 'main')?.ready === true,
      );
      assert.equal(isReady(held), false);
      assert.equal(statusOf(held, 'side')?.lastState?.terminated?.exitCode, 3);
      await lab.exec('touch /v/ready');
      await lab.until('the pod is ready', isReady);
    },
  },
  {
    states: 'sidecars end in the reverse of the order in which they started, after the main container',
    check: async (lab) => {
      const ending = (name: string) => `trap "echo ${name} >> /v/order; exit 0" TERM; while :; do sleep 0.1; done`;
      const plan = shared(lab, ending('main'), [
        [ending('first'), { name: 'first', ...SIDECAR }],
        [ending('second'), { name: 'second', ...SIDECAR }],
      ]);
      const path = `/tmp/skerry-order-${process.pid}-${lab.namespace}`;
      const volumes = [{ name: 'v', hostPath: { path, type: 'DirectoryOrCreate' as const } }];
      const spec = { ...plan.spec, volumes, securityContext: { runAsUser: 0 }, terminationGracePeriodSeconds: 10 };
      try {
        await lab.start({ ...plan, spec });
        await lab.delete();
        await lab.gone();
        assert.deepEqual(readFileSync(`${path}/order`, 'utf8').split('\n').filter(Boolean), [
          'main',
          'second',
          'first',
        ]);
      } finally {
        rmSync(path, { recursive: true, force: true });
      }
    },
  },
];

const EPHEMERAL: readonly Requirement[] = [
  {
    states: 'an ephemeral container joins a running pod, and another one later',
    check: async (lab) => {
      await lab.start();
      const add = (name: string, script: string) => {
        const ephemeralContainers = [lab.container(script, { name })];
        return lab.patch({ spec: { ephemeralContainers } }, 'pod', 'ephemeralcontainers');
      };
      await add('debug', 'echo looking; sleep 1000');
      await lab.until('it runs', (pod) => statusOf(pod, 'debug')?.state?.running !== undefined);
      await lab.hears('looking', 'pod', 'debug');
      const { stdout } = await lab.exec('echo inside', 'pod', 'debug');
      assert.equal(stdout, 'inside\n');
      await add('again', 'exit 4');
      const pod = await lab.until('it has ended', (one) => statusOf(one, 'again')?.state?.terminated !== undefined);
      assert.equal(statusOf(pod, 'again')?.state?.terminated?.exitCode, 4);
      assert.equal(statusOf(pod, 'again')?.restartCount, 0);
      assert.equal(pod.status?.phase, 'Running');
    },
  },
];

/** Starts a pod with the hook, deletes it, and waits until the listener has heard it. */
async function hears(lab: Lab, listener: Listener, lifecycle: object, path: string): Promise<void> {
  await lab.start({ container: { lifecycle } });
  await lab.delete('pod', 5);
  await lab.gone();
  assert.ok(
    listener.heard.some((line) => line.startsWith(`GET ${path} by`)),
    `${listener.heard.join()} ${(await lab.events()).join()}`,
  );
}

const NAMES = { http: 'HTTP', https: 'HTTPS' } as const;

const HOOKS: readonly Requirement[] = [
  {
    states: 'a command after the start has run before the container is ready',
    check: async (lab) => {
      const plan = mounted({ emptyDir: {} }, {}, {});
      const lifecycle = { postStart: command('echo hello > /v/x') };
      await lab.start({ ...plan, container: { ...plan.container, lifecycle } });
      assert.equal((await lab.exec('cat /v/x')).stdout, 'hello\n');
    },
  },
  ...(['http', 'https'] as const).flatMap((scheme): Requirement[] => [
    {
      states: `a request over ${scheme} is made after the start, whatever is answered`,
      check: async (lab) => {
        await using listener = await Listener.start(scheme);
        listener.answer = () => ({ code: 500 });
        await hears(lab, listener, { postStart: listener.at('/started', NAMES[scheme]) }, '/started');
        assert.match(listener.heard[0] ?? '', /by kube-lifecycle\//);
      },
    },
    {
      states: `a request over ${scheme} is made before the end`,
      check: async (lab) => {
        await using listener = await Listener.start(scheme);
        await hears(lab, listener, { preStop: listener.at('/stopping', NAMES[scheme]) }, '/stopping');
      },
    },
  ]),
  {
    states: 'a hook after the start that fails ends the container, and says so',
    check: async (lab) => {
      const lifecycle = { postStart: command('exit 1') };
      await lab.create({ container: { lifecycle }, spec: { restartPolicy: 'Always' } });
      await lab.until('its restart', (pod) => (statusOf(pod)?.restartCount ?? 0) >= 1);
      await lab.hasEvent(/^FailedPostStartHook: /);
    },
  },
  {
    states: 'a hook before the end has run before the container is told',
    check: async (lab) => {
      const lifecycle = { preStop: command('touch /tmp/stopping; sleep 0.3; rm /tmp/stopping') };
      const script =
        'trap "[ ! -e /tmp/stopping ]; echo \\$? > /dev/termination-log; exit 0" TERM; while :; do sleep 0.1; done';
      await lab.start({ script, container: { lifecycle }, spec: { terminationGracePeriodSeconds: 20 } });
      const seen = lab.until('its last words', (pod) => statusOf(pod)?.state?.terminated !== undefined);
      await lab.delete();
      assert.equal(statusOf(await seen)?.state?.terminated?.exitCode, 0);
      await lab.gone();
    },
  },
  {
    states: 'a pause before the end is kept, and the grace goes before it',
    check: async (lab) => {
      const lifecycle = { preStop: { sleep: { seconds: 2 } } };
      await lab.start({ container: { lifecycle }, spec: { terminationGracePeriodSeconds: 30 } });
      const began = performance.now();
      await lab.delete();
      await lab.gone();
      assert.ok(performance.now() - began >= 1900);
      const impatient = { preStop: { sleep: { seconds: 100 } } };
      await lab.start({
        name: 'other',
        container: { lifecycle: impatient },
        spec: { terminationGracePeriodSeconds: 1 },
      });
      await lab.delete('other');
      await lab.gone('other');
    },
  },
  {
    states: 'a container is ended by the signal it asks for',
    check: async (lab) => {
      const script = 'trap "exit 11" USR1; trap "exit 12" TERM; while :; do sleep 0.1; done';
      const spec = { os: { name: 'linux' } };
      await lab.start({ script, container: { lifecycle: { stopSignal: 'SIGUSR1' } }, spec });
      const seen = lab.until('its end', (pod: Pod) => statusOf(pod)?.state?.terminated !== undefined);
      await lab.delete('pod', 10);
      assert.equal(statusOf(await seen)?.state?.terminated?.exitCode, 11);
    },
  },
];

const ENDS: readonly Requirement[] = [
  {
    states: 'the last thing that is seen of a deleted pod is how it ended',
    check: async (lab) => {
      await lab.start({ script: 'trap "exit 5" TERM; while :; do sleep 0.1; done' });
      const leaving = new AbortController();
      let last: Pod | undefined;
      for await (const { type, object } of lab.watch('pod', leaving.signal)) {
        if (last === undefined) await lab.delete('pod', 20);
        last = object;
        if (type === 'DELETED') break;
      }
      leaving.abort();
      assert.equal(last?.status?.phase, 'Failed');
      assert.equal(statusOf(last as Pod)?.state?.terminated?.exitCode, 5);
      assert.equal(conditionOf(last as Pod, 'Ready')?.status, 'False');
    },
  },
  {
    states: 'a shorter grace counts for an end that is under way',
    check: async (lab) => {
      await lab.start({
        script: 'trap "" TERM; while :; do sleep 0.1; done',
        spec: { terminationGracePeriodSeconds: 600 },
      });
      await lab.delete();
      await eventually('it is ending', async () => (await lab.get()).metadata.deletionTimestamp !== undefined);
      await lab.delete('pod', 1);
      await lab.gone();
    },
  },
];

export const LIFECYCLE: readonly Requirement[] = [...INIT, ...SIDECARS, ...EPHEMERAL, ...HOOKS, ...ENDS];
