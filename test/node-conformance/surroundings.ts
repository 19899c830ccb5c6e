/** What a pod shares with its host and what it has of its own: names, addresses, namespaces, ports. */
import assert from 'node:assert/strict';
import { readlinkSync } from 'node:fs';
import { isReady, mounted, type Requirement } from './lab.ts';

const MANAGED = '# Kubernetes-managed hosts file.';

const NAMES: readonly Requirement[] = [
  {
    states: 'a pod is called by its name',
    check: async (lab) => {
      await lab.says({ script: 'hostname; cat /proc/sys/kernel/hostname' }, ['pod', 'pod']);
    },
  },
  {
    states: 'a pod is called as it wants to be, and by its whole name in /etc/hosts',
    on: 'containerd',
    check: async (lab) => {
      const spec = { hostname: 'web', subdomain: 'site' };
      const full = `web.site.${lab.namespace}.svc.cluster.local`;
      const script = 'hostname; hostname -f; grep -c "$(hostname -i)" /etc/hosts';
      await lab.says({ script, spec }, ['web', full, '1']);
    },
  },
  {
    states: 'a pod may have its whole name as its host name',
    check: async (lab) => {
      const spec = { hostname: 'web', subdomain: 'site', setHostnameAsFQDN: true };
      await lab.says({ script: 'hostname', spec }, [`web.site.${lab.namespace}.svc.cluster.local`]);
    },
  },
  {
    states: 'a host name of its own choice goes before all others',
    check: async (lab) => {
      const spec = { hostname: 'web', subdomain: 'site', hostnameOverride: 'other.example.com' };
      await lab.says({ script: 'hostname', spec }, ['other.example.com']);
    },
  },
  {
    states: 'host aliases are in /etc/hosts',
    check: async (lab) => {
      const spec = { hostAliases: [{ ip: '123.45.67.89', hostnames: ['foo', 'bar'] }] };
      await lab.says({ script: 'grep 123.45 /etc/hosts', spec }, ['123.45.67.89\tfoo\tbar']);
    },
  },
  {
    states: '/etc/hosts is the node’s to write, except where the pod brings its own',
    on: 'containerd',
    check: async (lab) => {
      const volumes = [{ name: 'own', hostPath: { path: '/etc/hosts', type: 'File' as const } }];
      const own = { volumeMounts: [{ name: 'own', mountPath: '/etc/hosts' }] };
      const head = 'head -n 1 /etc/hosts';
      const containers = [
        lab.container(head),
        lab.container(`grep -c managed /etc/hosts; true`, { name: 'two', ...own }),
      ];
      const pod = await lab.says({ spec: { containers, volumes } }, [MANAGED]);
      assert.deepEqual(await lab.lines(pod, 'two'), ['0']);
    },
  },
  {
    states: 'on the host’s network /etc/hosts is the host’s',
    on: 'containerd',
    check: async (lab) => {
      const { lines } = await lab.run({ script: 'head -n 1 /etc/hosts', spec: { hostNetwork: true } });
      assert.deepEqual(lines, ['# Kubernetes-managed hosts file (host network).']);
    },
  },
  {
    states: 'names are asked of whom the pod says, and of nobody else',
    check: async (lab) => {
      const dnsConfig = {
        nameservers: ['192.0.2.1', '192.0.2.2'],
        searches: ['example.com', 'example.org'],
        options: [{ name: 'ndots', value: '3' }, { name: 'edns0' }],
      };
      const { lines } = await lab.run({
        script: 'grep -v "^#" /etc/resolv.conf',
        spec: { dnsPolicy: 'None', dnsConfig },
      });
      assert.deepEqual([...lines].sort(), [
        'nameserver 192.0.2.1',
        'nameserver 192.0.2.2',
        'options ndots:3 edns0',
        'search example.com example.org',
      ]);
    },
  },
];

const ns = (name: string) => readlinkSync(`/proc/self/ns/${name}`);

const NAMESPACES: readonly Requirement[] = [
  {
    states: 'on the host’s network a pod has its address',
    check: async (lab) => {
      const { pod, lines } = await lab.run({ script: 'readlink /proc/self/ns/net', spec: { hostNetwork: true } });
      assert.deepEqual(lines, [ns('net')]);
      assert.equal(pod.status?.podIP, pod.status?.hostIP);
    },
  },
  {
    states: 'a pod has a network, processes and shared memory of its own',
    on: 'containerd',
    check: async (lab) => {
      const { lines } = await lab.run({ script: 'for n in net pid ipc uts mnt; do readlink /proc/self/ns/$n; done' });
      for (const [index, name] of ['net', 'pid', 'ipc', 'uts', 'mnt'].entries())
        assert.notEqual(lines[index], ns(name));
    },
  },
  {
    states: 'a pod that is let sees the processes and the shared memory of the host',
    check: async (lab) => {
      const script = 'readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc';
      await lab.says({ script, spec: { hostPID: true, hostIPC: true } }, [ns('pid'), ns('ipc')]);
    },
  },
  {
    states: 'containers see each other’s processes when the pod wants it',
    on: 'containerd',
    check: async (lab) => {
      const containers = [
        lab.container('until ps | grep -v grep | grep -q "sleep 4321"; do sleep 0.1; done; echo seen'),
        lab.container('exec sleep 4321', { name: 'two' }),
      ];
      await lab.create({ spec: { containers, shareProcessNamespace: true } });
      await lab.hears('seen');
    },
  },
];

const PORTS: readonly Requirement[] = [
  {
    states: 'pods and their node reach each other by address',
    on: 'containerd',
    check: async (lab) => {
      const script = 'mkdir /www; echo hello > /www/index.html; exec httpd -f -p 8080 -h /www';
      const readinessProbe = { tcpSocket: { port: 8080 }, periodSeconds: 1 };
      const { status } = await lab.start({ name: 'server', script, container: { readinessProbe } });
      await lab.says({ script: `wget -q -O - http://${status?.podIP}:8080/index.html` }, ['hello']);
      assert.equal(await fetchText(status?.podIP ?? '', 8080), 'hello\n');
    },
  },
  {
    states: 'what the node writes for a pod is there from its first moment',
    check: async (lab) => {
      const plan = mounted(
        { emptyDir: {} },
        { script: 'test -s /etc/hosts && test -e /etc/resolv.conf && echo there' },
      );
      await lab.says(plan, ['there']);
      assert.equal(isReady(await lab.get()), false);
    },
  },
];

async function fetchText(host: string, port: number): Promise<string> {
  const response = await fetch(`http://${host}:${port}/index.html`, { signal: AbortSignal.timeout(10_000) });
  return response.text();
}

export const SURROUNDINGS: readonly Requirement[] = [...NAMES, ...NAMESPACES, ...PORTS];
