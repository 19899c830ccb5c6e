/** What is asked of a node through the API: logs, commands, ports, its own endpoints, its word that it lives. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import type { Lease, Node } from '@skerry/api/types';
import { eventually } from '@skerry/testkit/processes';
import { readMessages } from './exec.ts';
import { conditionOf, type Lab, type Requirement, statusOf } from './lab.ts';

const LOGS: readonly Requirement[] = [
  {
    states: 'a log is given whole, its end, its first bytes, or with its times',
    check: async (lab) => {
      await lab.run({ script: 'echo one; echo two; echo three' });
      assert.equal(await lab.log(), 'one\ntwo\nthree\n');
      assert.equal(await lab.log('pod', 'tailLines=2'), 'two\nthree\n');
      assert.equal(await lab.log('pod', 'tailLines=0'), '');
      assert.equal(await lab.log('pod', 'limitBytes=5'), 'one\nt');
      assert.match(
        await lab.log('pod', 'timestamps=true&tailLines=1'),
        /^20\d\d-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d) three\n$/,
      );
      assert.equal(await lab.log('pod', 'sinceTime=2000-01-01T00:00:00Z'), 'one\ntwo\nthree\n');
    },
  },
  {
    states: 'the log of the run before a restart is kept',
    check: async (lab) => {
      await lab.create({ script: 'echo words; exit 1', spec: { restartPolicy: 'Always' } });
      await lab.until('its restart', (pod) => (statusOf(pod)?.restartCount ?? 0) >= 1);
      assert.equal(await lab.log('pod', 'previous=true'), 'words\n');
    },
  },
  {
    states: 'a log is followed to its end',
    check: async (lab) => {
      await lab.create({ script: 'for i in 1 2 3 4 5; do echo line $i; sleep 0.1; done' });
      await lab.until('it runs', ({ status }) => status?.phase !== 'Pending');
      assert.equal(await lab.log('pod', 'follow=true'), 'line 1\nline 2\nline 3\nline 4\nline 5\n');
    },
  },
  {
    states: 'a log is read over a WebSocket',
    check: async (lab) => {
      await lab.run({ script: 'echo container is alive' });
      const messages = await readMessages(
        lab.http,
        `/api/v1/namespaces/${lab.namespace}/pods/pod/log?container=main`,
        'binary.k8s.io',
      );
      assert.equal(Buffer.concat(messages).toString(), 'container is alive\n');
    },
  },
  {
    states: 'a container that has not started has no log yet, and says why',
    check: async (lab) => {
      const env = [{ name: 'X', valueFrom: { configMapKeyRef: { name: 'no', key: 'no' } } }];
      await lab.create({ container: { env } });
      await lab.until('it is refused', (pod) => statusOf(pod)?.state?.waiting?.reason === 'CreateContainerConfigError');
      const path = `/api/v1/namespaces/${lab.namespace}/pods/pod/log`;
      const { status, json } = await lab.http.ask({ method: 'GET', path });
      assert.equal(status, 400);
      assert.equal(json?.['message'], 'container "main" in pod "pod" is waiting to start: CreateContainerConfigError');
    },
  },
];

const COMMANDS: readonly Requirement[] = [
  {
    states: 'a command’s output, its errors and its exit code come back apart',
    check: async (lab) => {
      await lab.start();
      const { stdout, stderr, status } = await lab.exec('echo out; echo err >&2; exit 3');
      assert.deepEqual([stdout, stderr], ['out\n', 'err\n']);
      assert.equal(status.reason, 'NonZeroExitCode');
      assert.match(status.message ?? '', /exit(ed with)? (status|code) 3/);
      assert.equal((await lab.exec('true')).status.status, 'Success');
    },
  },
  {
    states: 'a command is run over the first kind of WebSocket',
    check: async (lab) => {
      await lab.start();
      const query = new URLSearchParams({ container: 'main', stdout: '1', stderr: '1' });
      for (const word of ['/bin/sh', '-c', 'echo remote execution test']) query.append('command', word);
      const path = `/api/v1/namespaces/${lab.namespace}/pods/pod/exec?${query}`;
      const messages = await readMessages(lab.http, path, 'channel.k8s.io');
      const spoken = messages.filter(({ length }) => length > 1);
      assert.ok(spoken.every(([channel]) => channel === 1));
      assert.equal(Buffer.concat(spoken.map((each) => each.subarray(1))).toString(), 'remote execution test\n');
    },
  },
  {
    states: 'a command sees the container’s variables, files and user',
    check: async (lab) => {
      const securityContext = { runAsUser: 1234 };
      await lab.start({ container: { env: [{ name: 'X', value: 'y' }], workingDir: '/etc', securityContext } });
      assert.equal((await lab.exec('echo $X; id -u; pwd')).stdout, 'y\n1234\n/etc\n');
    },
  },
  {
    states: 'whoever attaches hears what a container says from then on',
    check: async (lab) => {
      await lab.start({ script: 'trap "exit 0" TERM; while :; do echo tick; sleep 0.1; done' });
      const path = `/api/v1/namespaces/${lab.namespace}/pods/pod/attach?container=main&stdout=1`;
      const heard = readMessages(lab.http, path, 'v5.channel.k8s.io', (message) => message.includes('tick'));
      assert.match(Buffer.concat(await heard).toString(), /tick/);
    },
  },
  {
    states: 'a port of a pod is reached through the API',
    check: async (lab) => {
      await using server = await portIn(lab);
      const path = `/api/v1/namespaces/${lab.namespace}/pods/pod/portforward?ports=${server.port}`;
      const isSpoken = (message: Buffer) => message[0] === 0 && message.length > 3;
      // Between two greetings nobody listens in the pod.
      await eventually('it is greeted', async () => {
        const said = await readMessages(lab.http, path, 'v4.channel.k8s.io', isSpoken);
        return Buffer.concat(said).includes('hello');
      });
    },
  },
];

/** A port that greets whoever comes: in the pod, or for a process on the node it shares with the test. */
async function portIn(lab: Lab): Promise<{ readonly port: number } & AsyncDisposable> {
  const greeter = createServer((socket) => socket.end('hello\n'));
  await new Promise<void>((resolve) => greeter.listen(0, '127.0.0.1', resolve));
  const address = greeter.address();
  const port = lab.isProcess && typeof address === 'object' ? (address?.port ?? 0) : 8080;
  const script = 'while :; do echo hello | nc -l -p 8080; done';
  await lab.start(lab.isProcess ? {} : { script });
  return {
    port,
    [Symbol.asyncDispose]: () => new Promise((resolve) => greeter.close(() => resolve())),
  };
}

const NODE: readonly Requirement[] = [
  {
    states: 'a node answers for itself by way of the API, also with its port in the name',
    on: 'containerd',
    check: async (lab) => {
      await lab.start();
      for (const name of [lab.node, `${lab.node}:10250`]) {
        const get = async (path: string) => {
          const { status, text } = await lab.http.ask({ method: 'GET', path: `/api/v1/nodes/${name}/proxy/${path}` });
          assert.equal(status, 200, `${path}: ${text}`);
          return text;
        };
        assert.equal(await get('healthz'), 'ok');
        assert.match(await get('pods'), /"kind":"PodList"/);
        assert.match(await get('stats/summary'), /"nodeName":"edge-1"/);
        assert.match(await get('metrics/resource'), /node_cpu_usage_seconds_total/);
        assert.match(await get('metrics'), /^# /m);
        await get('logs/');
        await get(`containerLogs/${lab.namespace}/pod/main`);
      }
    },
  },
  {
    states: 'a node says what it is and has',
    on: 'containerd',
    check: async (lab) => {
      const { metadata, status } = await lab.client.get<Node>({ gvr: NODES, name: lab.node });
      assert.equal(metadata.labels?.['kubernetes.io/os'], 'linux');
      assert.equal(metadata.labels?.['kubernetes.io/arch'], status?.nodeInfo?.architecture);
      assert.equal(metadata.labels?.['kubernetes.io/hostname'], lab.node);
      assert.match(status?.nodeInfo?.containerRuntimeVersion ?? '', /^containerd:\/\//);
      const served = await lab.http.ask({ method: 'GET', path: '/version' });
      const { gitVersion }: { gitVersion: string } = JSON.parse(served.text);
      assert.equal(
        status?.nodeInfo?.kubeletVersion.startsWith(`${gitVersion}-`),
        true,
        status?.nodeInfo?.kubeletVersion,
      );
      for (const resource of ['cpu', 'memory', 'pods', 'ephemeral-storage']) {
        assert.ok(status?.capacity?.[resource], resource);
        assert.ok(status?.allocatable?.[resource], resource);
      }
      for (const type of ['MemoryPressure', 'DiskPressure', 'PIDPressure']) {
        assert.ok(
          status?.conditions?.some((condition) => condition.type === type),
          type,
        );
      }
      const ready = status?.conditions?.find(({ type }) => type === 'Ready');
      assert.deepEqual([ready?.status, ready?.reason], ['True', 'KubeletReady']);
      assert.deepEqual(
        status?.addresses?.map(({ type }) => type).filter((type) => type !== 'InternalIP'),
        ['Hostname'],
      );
    },
  },
  {
    states: 'a node renews a lease that belongs to it',
    on: 'containerd',
    check: async (lab) => {
      const lease = () => lab.client.get<Lease>({ gvr: LEASES, namespace: 'kube-node-lease', name: lab.node });
      const { spec, metadata } = await eventually('its owner', async () => {
        const found = await lease();
        return found.metadata.ownerReferences !== undefined && found;
      });
      assert.equal(spec?.holderIdentity, lab.node);
      assert.equal(spec?.leaseDurationSeconds, 40);
      assert.equal(metadata.ownerReferences?.[0]?.kind, 'Node');
      assert.equal(metadata.ownerReferences?.[0]?.name, lab.node);
      await eventually('its renewal', async () => (await lease()).spec?.renewTime !== spec?.renewTime);
    },
  },
  {
    states: 'a pod that comes and goes is told of by events',
    check: async (lab) => {
      const pod = await lab.start();
      assert.equal(conditionOf(pod, 'PodScheduled')?.status, 'True');
      await lab.delete('pod', 1);
      await lab.gone();
      for (const reason of ['Scheduled', 'Created', 'Started', 'Killing'])
        await lab.hasEvent(new RegExp(`^${reason}: `));
    },
  },
];

const NODES = { group: '', version: 'v1', resource: 'nodes' };
const LEASES = { group: 'coordination.k8s.io', version: 'v1', resource: 'leases' };

export const STREAMS: readonly Requirement[] = [...LOGS, ...COMMANDS, ...NODE];
