/** One container: its command, its image, its end and its restarts. */
import assert from 'node:assert/strict';
import { ENVIRONMENT } from './environment.ts';
import { isOver, type Lab, mounted, type Requirement, statusOf, waitingFor } from './lab.ts';

const COMMANDS: readonly Requirement[] = [
  {
    states: 'without command and arguments the image’s own are run',
    on: 'containerd',
    check: async (lab) => {
      const { name, image } = lab.container('');
      const { code } = await lab.run({ spec: { containers: [{ name, image: image ?? '' }] } });
      assert.equal(code, 0);
    },
  },
  {
    states: 'arguments alone replace those of the image',
    on: 'containerd',
    check: async (lab) => {
      const { name, image = '' } = lab.container('');
      await lab.says({ spec: { containers: [{ name, image, args: ['echo', 'my', 'words'] }] } }, ['my words']);
    },
  },
  {
    states: 'a command leaves the image’s arguments out, and takes the pod’s own',
    check: async (lab) => {
      const { name, image = '' } = lab.container('');
      const containers = [
        { name, image, command: ['/bin/echo'] },
        { name: 'two', image, command: ['/bin/echo', 'a'], args: ['b c', 'd'] },
      ];
      const pod = await lab.says({ spec: { containers } }, []);
      assert.equal(await lab.log('pod', 'container=main'), '\n');
      assert.deepEqual(await lab.lines(pod, 'two'), ['a b c d']);
    },
  },
  {
    states: 'the working directory is the one that is asked for',
    check: async (lab) => {
      await lab.says({ script: 'pwd', container: { workingDir: '/etc' } }, ['/etc']);
    },
  },
  {
    states: '$(NAME) is expanded in commands and arguments, $$ is a dollar, and what is unknown stays',
    check: async (lab) => {
      const { name, image = '' } = lab.container('');
      const env = [{ name: 'WORD', value: 'word' }];
      const command = ['/bin/sh', '-c', 'echo "$0" "$@"', '$(WORD)'];
      const containers = [{ name, image, env, command, args: ['$$(WORD)', '$(NOBODY)', 'a$(WORD)b'] }];
      await lab.says({ spec: { containers } }, ['word $(WORD) $(NOBODY) awordb']);
    },
  },
  {
    states: 'a program that is not there ends the container as StartError with 128',
    check: async (lab) => {
      await lab.create({ container: { command: ['/no/such/program'] } });
      const pod = await lab.until('it has ended', isOver);
      const { terminated } = statusOf(pod)?.state ?? {};
      assert.equal(terminated?.reason, 'StartError');
      assert.equal(terminated?.exitCode, 128);
      assert.match(terminated?.message ?? '', /no such file/);
      assert.equal(pod.status?.phase, 'Failed');
    },
  },
];

const ENDS: readonly Requirement[] = [
  {
    states: 'what a container writes to its termination file is its message',
    check: async (lab) => {
      const { pod } = await ended(lab, { script: 'printf DONE > /dev/termination-log' });
      const { terminated } = statusOf(pod)?.state ?? {};
      assert.equal(terminated?.message, 'DONE');
      assert.equal(terminated?.reason, 'Completed');
      assert.ok(Date.parse(terminated?.finishedAt ?? '') >= Date.parse(terminated?.startedAt ?? ''));
    },
  },
  {
    states: 'the file may be elsewhere, and written by a user who is not root',
    check: async (lab) => {
      const container = {
        terminationMessagePath: '/dev/termination-custom-log',
        securityContext: { runAsUser: 1000 },
      };
      const { pod } = await ended(lab, { script: 'printf DONE > /dev/termination-custom-log', container });
      assert.equal(statusOf(pod)?.state?.terminated?.message, 'DONE');
    },
  },
  {
    states: 'the end of the log is the message of a failure, when the pod asks for it',
    check: async (lab) => {
      const container = { terminationMessagePolicy: 'FallbackToLogsOnError' as const };
      const { pod } = await ended(lab, {
        script: 'echo -n DONE; exit 1',
        container: { ...container, command: ['/bin/sh', '-c', 'printf DONE; exit 1'] },
      });
      assert.equal(statusOf(pod)?.state?.terminated?.message, 'DONE');
      assert.equal(statusOf(pod)?.state?.terminated?.reason, 'Error');
    },
  },
  {
    states: 'a success has no message from its log',
    check: async (lab) => {
      const container = { terminationMessagePolicy: 'FallbackToLogsOnError' as const };
      const { pod } = await lab.run({ script: 'printf DONE', container });
      assert.equal(statusOf(pod)?.state?.terminated?.message, undefined);
    },
  },
  {
    states: 'a message in the file is the message of a success, whatever the policy',
    check: async (lab) => {
      const container = { terminationMessagePolicy: 'FallbackToLogsOnError' as const };
      const { pod } = await ended(lab, { script: 'printf OK > /dev/termination-log; printf DONE', container });
      assert.equal(statusOf(pod)?.state?.terminated?.message, 'OK');
    },
  },
  {
    states: 'a container that is restarted always runs again after a success',
    check: async (lab) => {
      await lab.create({ script: 'exit 0', spec: { restartPolicy: 'Always' } });
      const pod = await lab.until('its restart', (one) => (statusOf(one)?.restartCount ?? 0) >= 1);
      assert.equal(statusOf(pod)?.lastState?.terminated?.exitCode, 0);
      assert.equal(pod.status?.phase, 'Running');
      await lab.delete('pod', 0);
      await lab.gone();
    },
  },
  {
    states: 'a container that is restarted on failure ends for good with a success',
    check: async (lab) => {
      const plan = mounted(
        { emptyDir: {} },
        { script: '[ -e /v/x ] && exit 0; touch /v/x; exit 1', spec: { restartPolicy: 'OnFailure' } },
      );
      const { pod, code } = await lab.run(plan);
      assert.equal(code, 0);
      assert.equal(statusOf(pod)?.restartCount, 1);
      assert.equal(statusOf(pod)?.lastState?.terminated?.exitCode, 1);
      assert.equal(pod.status?.phase, 'Succeeded');
    },
  },
  {
    states: 'a container that is never restarted fails its pod',
    check: async (lab) => {
      const { pod } = await lab.run({ script: 'exit 7' });
      assert.equal(pod.status?.phase, 'Failed');
      const { terminated } = statusOf(pod)?.state ?? {};
      assert.equal(terminated?.exitCode, 7);
      assert.equal(terminated?.reason, 'Error');
      assert.equal(statusOf(pod)?.ready, false);
      assert.equal(statusOf(pod)?.restartCount, 0);
    },
  },
  {
    states:
      'a container that fails again and again waits as CrashLoopBackOff, remembers its last end, and can be deleted',
    check: async (lab) => {
      await lab.create({ script: 'echo words; exit 3', spec: { restartPolicy: 'Always' } });
      const pod = await lab.until('its back-off', (one) => waitingFor(one) === 'CrashLoopBackOff');
      assert.equal(statusOf(pod)?.lastState?.terminated?.exitCode, 3);
      assert.match(
        statusOf(pod)?.state?.waiting?.message ?? '',
        /^back-off 10s restarting failed container=main pod=pod_/,
      );
      await lab.hasEvent(/^BackOff: Back-off restarting failed container main in pod pod_/);
      await lab.delete('pod', 0);
      await lab.gone();
    },
  },
  {
    states: 'a container whose image changes is started anew with the new one',
    on: 'containerd',
    check: async (lab) => {
      const before = await lab.start({ spec: { restartPolicy: 'Always' } });
      await lab.patch({ spec: { containers: [{ name: 'main', image: 'skerry.test/pause:1' }] } });
      const after = await lab.until(
        'its restart',
        (pod) => statusOf(pod)?.restartCount === 1 && statusOf(pod)?.ready === true,
      );
      assert.notEqual(statusOf(after)?.containerID, statusOf(before)?.containerID);
      assert.equal(statusOf(after)?.image, 'skerry.test/pause:1');
    },
  },
];

/** Its last words are read after its end. */
async function ended(lab: Lab, plan: Parameters<Lab['run']>[0]) {
  await lab.run(plan);
  const pod = await lab.until('its last words', (one) => statusOf(one)?.state?.terminated?.message !== undefined);
  return { pod };
}

const rule = (action: 'Restart' | 'RestartAllContainers') => [
  { action, exitCodes: { operator: 'In' as const, values: [42] } },
];

const OWN_POLICIES: readonly Requirement[] = [
  {
    states: 'a container’s own policy Never counts in a pod that restarts',
    check: async (lab) => {
      const { pod } = await lab.run({
        script: 'exit 1',
        container: { restartPolicy: 'Never' },
        spec: { restartPolicy: 'Always' },
      });
      assert.equal(statusOf(pod)?.restartCount, 0);
      assert.equal(pod.status?.phase, 'Failed');
    },
  },
  {
    states: 'a container’s own policy Always counts in a pod that does not restart',
    check: async (lab) => {
      await lab.create({ script: 'exit 1', container: { restartPolicy: 'Always' } });
      await lab.until('its restart', (pod) => (statusOf(pod)?.restartCount ?? 0) >= 1);
    },
  },
  {
    states: 'a rule restarts a container that ends with its code, and no other',
    check: async (lab) => {
      const container = { restartPolicy: 'Never' as const, restartPolicyRules: rule('Restart') };
      const plan = mounted({ emptyDir: {} }, { script: '[ -e /v/x ] && exit 1; touch /v/x; exit 42', container });
      const { pod, code } = await lab.run(plan);
      assert.equal(code, 1);
      assert.equal(statusOf(pod)?.restartCount, 1);
    },
  },
  {
    states: 'a rule restarts all containers of the pod',
    check: async (lab) => {
      const container = { restartPolicy: 'Never' as const, restartPolicyRules: rule('RestartAllContainers') };
      const script = 'if [ -e /v/x ]; then trap "exit 0" TERM; while :; do sleep 0.2; done; fi; touch /v/x; exit 42';
      const plan = mounted({ emptyDir: {} }, { script, container });
      const volumeMounts = [{ name: 'v', mountPath: '/v' }];
      const containers = [
        lab.container(script, { ...container, volumeMounts }),
        lab.container('trap "exit 0" TERM; while :; do sleep 0.2; done', { name: 'other' }),
      ];
      const initContainers = [lab.container('true', { name: 'init' })];
      await lab.create({ ...plan, spec: { ...plan.spec, containers, initContainers } });
      const again = (name: string, count: number) => (pod: Parameters<typeof statusOf>[0]) =>
        statusOf(pod, name)?.restartCount === count;
      await lab.until(
        'all run again',
        (pod) =>
          ['main', 'other', 'init'].every((name) => again(name, 1)(pod)) &&
          ['main', 'other'].every((name) => statusOf(pod, name)?.state?.running !== undefined),
      );
    },
  },
];

const IMAGES: readonly Requirement[] = [
  {
    states: 'an image that may not be pulled and is not there is ErrImageNeverPull',
    on: 'containerd',
    check: async (lab) => {
      await lab.create({ container: { image: 'skerry.test/absent:1', imagePullPolicy: 'Never' } });
      const pod = await lab.until('its refusal', (one) => waitingFor(one) === 'ErrImageNeverPull');
      assert.equal(pod.status?.phase, 'Pending');
      await lab.delete('pod', 0);
      await lab.gone();
    },
  },
  {
    states: 'an image that cannot be pulled is ErrImagePull, then ImagePullBackOff',
    on: 'containerd',
    check: async (lab) => {
      await lab.create({ container: { image: '127.0.0.1:9/absent:1' } });
      await lab.until('its refusal', (one) => waitingFor(one) === 'ErrImagePull');
      await lab.hasEvent(/^Failed: Failed to pull image "127.0.0.1:9\/absent:1"/);
      await lab.until('its back-off', (one) => waitingFor(one) === 'ImagePullBackOff');
      await lab.delete('pod', 0);
      await lab.gone();
    },
  },
  {
    states: 'an image name that is none is InvalidImageName',
    on: 'containerd',
    check: async (lab) => {
      await lab.create({ container: { image: 'Bad/NAME:1' } });
      await lab.until('its refusal', (one) => waitingFor(one) === 'InvalidImageName');
      await lab.delete('pod', 0);
      await lab.gone();
    },
  },
];

export const CONTAINERS: readonly Requirement[] = [...COMMANDS, ...ENVIRONMENT, ...ENDS, ...OWN_POLICIES, ...IMAGES];
