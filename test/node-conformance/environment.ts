/** One container's environment: what it is given, and where from. */
import assert from 'node:assert/strict';
import type { EnvVar, Node } from '@skerry/api/types';
import { isOver, type Requirement, statusOf, waitingFor } from './lab.ts';

const field = (name: string, fieldPath: string): EnvVar => ({ name, valueFrom: { fieldRef: { fieldPath } } });
const amount = (name: string, resource: string, divisor = '1'): EnvVar => ({
  name,
  valueFrom: { resourceFieldRef: { resource, divisor } },
});
const ENV = 'env | grep ^X_ | sort';

export const ENVIRONMENT: readonly Requirement[] = [
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
