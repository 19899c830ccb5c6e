/** One container: its command, its environment, its image, its end and its restarts. */
import assert from 'node:assert/strict';
import type { EnvVar, Node } from '@skerry/api/types';
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

const field = (name: string, fieldPath: string): EnvVar => ({ name, valueFrom: { fieldRef: { fieldPath } } });
const amount = (name: string, resource: string, divisor = '1'): EnvVar => ({
  name,
  valueFrom: { resourceFieldRef: { resource, divisor } },
});
const ENV = 'env | grep ^X_ | sort';

const ENVIRONMENT: readonly Requirement[] = [
  {
    states: 'variables tell a pod its names, its node, its account, its labels and annotations',
    check: async (lab) => {
      const env = [
        field('X_1', 'metadata.name'),
        field('X_2', 'metadata.namespace'),
        field('X_3', 'spec.nodeName'),
        field('X_4', 'spec.serviceAccountName'),
        field('X_5', "metadata.labels['key']"),
        field('X_6', "metadata.annotations['example.com/note']"),
        field('X_7', 'metadata.uid'),
      ];
      const metadata = { labels: { key: 'value' }, annotations: { 'example.com/note': 'so' } };
      const { pod, lines } = await lab.run({ script: ENV, container: { env }, metadata });
      const values = ['pod', lab.namespace, lab.node, 'default', 'value', 'so', pod.metadata.uid];
      assert.deepEqual(
        lines,
        values.map((value, index) => `X_${index + 1}=${value}`),
      );
    },
  },
  {
    states: 'variables tell a pod its address and its host’s',
    check: async (lab) => {
      const env = [
        field('X_1', 'status.podIP'),
        field('X_2', 'status.hostIP'),
        field('X_3', 'status.podIPs'),
        field('X_4', 'status.hostIPs'),
      ];
      const { pod, lines } = await lab.run({ script: ENV, container: { env } });
      const listed = (ips: readonly { ip?: string }[] = []) => ips.map(({ ip }) => ip).join(',');
      const { podIP, hostIP, podIPs, hostIPs } = pod.status ?? {};
      assert.deepEqual(lines, [`X_1=${podIP}`, `X_2=${hostIP}`, `X_3=${listed(podIPs)}`, `X_4=${listed(hostIPs)}`]);
    },
  },
  {
    states: 'variables tell limits and requests, also of another container',
    check: async (lab) => {
      const resources = { limits: { cpu: '1250m', memory: '64Mi' }, requests: { cpu: '250m', memory: '32Mi' } };
      const env = [
        amount('X_1', 'limits.cpu'),
        amount('X_2', 'requests.cpu', '1m'),
        amount('X_3', 'limits.memory'),
        amount('X_4', 'requests.memory', '1Mi'),
      ];
      await lab.says({ script: ENV, container: { env, resources } }, ['X_1=2', 'X_2=250', 'X_3=67108864', 'X_4=32']);
    },
  },
  {
    states: 'variables tell what the node has where no limit is set',
    check: async (lab) => {
      const { items } = await lab.client.list<Node>({ group: '', version: 'v1', resource: 'nodes' });
      const { cpu = '', memory = '' } = items[0]?.status?.allocatable ?? {};
      const env = [amount('X_1', 'limits.cpu'), amount('X_2', 'limits.memory', '1Ki')];
      await lab.says({ script: ENV, container: { env } }, [`X_1=${cpu}`, `X_2=${Number.parseInt(memory, 10)}`]);
    },
  },
  {
    states: 'variables come from ConfigMaps and Secrets, whole and by key, and later ones win',
    check: async (lab) => {
      await lab.configMap('o', { X_1: 'one', X_2: 'two', X_3: 'three' });
      await lab.secret('o', { SECRET: 'hidden', X_2: 'new two' });
      const envFrom = [
        { configMapRef: { name: 'o' } },
        { secretRef: { name: 'o' } },
        { prefix: 'X_P_', configMapRef: { name: 'o' } },
      ];
      const env = [
        { name: 'X_3', valueFrom: { secretKeyRef: { name: 'o', key: 'SECRET' } } },
        { name: 'X_4', valueFrom: { configMapKeyRef: { name: 'o', key: 'X_1' } } },
        { name: 'X_5', value: '$(X_4) and $(X_2)' },
        { name: 'X_6', valueFrom: { configMapKeyRef: { name: 'no', key: 'no', optional: true } } },
      ];
      await lab.says({ script: ENV, container: { env, envFrom } }, [
        'X_1=one',
        'X_2=new two',
        'X_3=hidden',
        'X_4=one',
        'X_5=one and new two',
        'X_P_X_1=one',
        'X_P_X_2=two',
        'X_P_X_3=three',
      ]);
    },
  },
  {
    states: 'a variable from an object that is not there holds the container back until it comes',
    check: async (lab) => {
      const env = [{ name: 'X_1', valueFrom: { configMapKeyRef: { name: 'late', key: 'k' } } }];
      await lab.create({ script: ENV, container: { env } });
      const held = await lab.until('it is refused', (pod) => waitingFor(pod) === 'CreateContainerConfigError');
      assert.equal(statusOf(held)?.state?.waiting?.message, 'configmap "late" not found');
      await lab.hasEvent(/^Failed: Error: configmap "late" not found/);
      await lab.configMap('late', { k: 'here' });
      assert.deepEqual(await lab.lines(await lab.until('it has ended', isOver)), ['X_1=here']);
    },
  },
  {
    states: 'variables name the services that are there when the container starts',
    check: async (lab) => {
      const spec = { ports: [{ port: 8765, targetPort: 8080 }], selector: { name: 'nobody' } };
      const service = await lab.make({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'foo-service' }, spec });
      const { clusterIP } = service.spec as unknown as { clusterIP: string };
      // The node may hear of the pod before it hears of the service.
      const script =
        'env | grep ^FOO_SERVICE_ | sort > /tmp/found; [ -s /tmp/found ] || exit 1; cat /tmp/found; rm /tmp/found';
      const { lines } = await lab.run({ script, spec: { restartPolicy: 'OnFailure' } });
      assert.deepEqual(lines, [
        `FOO_SERVICE_PORT=tcp://${clusterIP}:8765`,
        `FOO_SERVICE_PORT_8765_TCP=tcp://${clusterIP}:8765`,
        `FOO_SERVICE_PORT_8765_TCP_ADDR=${clusterIP}`,
        'FOO_SERVICE_PORT_8765_TCP_PORT=8765',
        'FOO_SERVICE_PORT_8765_TCP_PROTO=tcp',
        `FOO_SERVICE_SERVICE_HOST=${clusterIP}`,
        'FOO_SERVICE_SERVICE_PORT=8765',
      ]);
    },
  },
  {
    states: 'variables come from a file that an init container has written, and the file need not be mounted',
    check: async (lab) => {
      const script = 'printf "# words\\nX_1=one\\nX_2=\'two words\'\\n" > /v/config.env';
      const init = lab.container(script, { name: 'writer', volumeMounts: [{ name: 'v', mountPath: '/v' }] });
      const from = (name: string, key: string, optional = false): EnvVar => ({
        name,
        valueFrom: { fileKeyRef: { volumeName: 'v', path: 'config.env', key, optional } },
      });
      const env = [from('X_1', 'X_1'), from('X_2', 'X_2'), from('X_3', 'NOBODY', true)];
      const spec = { volumes: [{ name: 'v', emptyDir: {} }], initContainers: [init] };
      await lab.says({ script: ENV, container: { env }, spec }, ['X_1=one', 'X_2=two words']);
    },
  },
  {
    states: 'a variable whose file lacks the key holds the container back',
    check: async (lab) => {
      const env = [{ name: 'X_1', valueFrom: { fileKeyRef: { volumeName: 'v', path: 'config.env', key: 'NO' } } }];
      await lab.create({ container: { env }, spec: { volumes: [{ name: 'v', emptyDir: {} }] } });
      await lab.until('it is refused', (pod) => waitingFor(pod) === 'CreateContainerConfigError');
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
