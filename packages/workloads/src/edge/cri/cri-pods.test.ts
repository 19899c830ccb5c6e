import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '@skerry/base';
import { BUSYBOX_IMAGE, CONTAINERD, eventually, skipWithout, TestRegistry } from '@skerry/testkit/processes';
import type { Pod } from '../pod/types.ts';
import { ContainerNode, isReady, SLEEP, shell } from '../testing/container-node.ts';
import { objectOf, type ScratchNode } from '../testing/scratch-node.ts';

const skip = skipWithout(...CONTAINERD.needs);

let site: ContainerNode;
let node: ScratchNode;
before(async () => {
  if (skip !== false) return;
  site = await ContainerNode.start();
  node = site.node;
});
after(() => site?.[Symbol.asyncDispose]());

function story(name: string, tell: () => Promise<void>): void {
  test(name, { skip }, tell);
}

const waitingFor = ({ status }: Pod) => status?.containerStatuses?.[0]?.state?.waiting?.reason;

story('a container runs its command with its variables, and says how it ended', async () => {
  const pod = await site.check(
    'speaker',
    {
      ...shell('echo hello $NAME from $(hostname); echo bye > /dev/termination-log; exit 3'),
      env: [{ name: 'NAME', value: 'skerry' }],
    },
    { log: ['hello skerry from speaker'], code: 3, reason: 'Error', message: 'bye\n' },
  );
  assert.match(pod.status?.containerStatuses?.[0]?.containerID ?? '', /^containerd:\/\//);
  assert.match(pod.status?.containerStatuses?.[0]?.imageID ?? '', /sha256:/);
});

story('a pod has an address of its own, and its name in /etc/hosts', async () => {
  const pod = await site.check(
    'addressed',
    shell('hostname -i; grep friend /etc/hosts'),
    {},
    {
      hostAliases: [{ ip: '10.9.8.7', hostnames: ['friend'] }],
    },
  );
  assert.match(pod.status?.podIP ?? '', /^10\./);
  assert.deepEqual(site.logOf(pod), [pod.status?.podIP, '10.9.8.7\tfriend']);
});

story('on the host network a pod has the node’s address', async () => {
  const pod = await site.check('on-host', shell('true'), { code: 0 }, { hostNetwork: true });
  assert.equal(pod.status?.podIP, '127.0.0.1');
});

story('a seccomp profile of the node’s own holds the container, and one that is not there holds it back', async () => {
  const folder = join(node.directory, 'runtime', 'seccomp');
  mkdirSync(folder, { recursive: true });
  const noFolders = { names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' };
  const profile = { defaultAction: 'SCMP_ACT_ALLOW', syscalls: [noFolders] };
  writeFileSync(join(folder, 'no-folders.json'), JSON.stringify(profile));
  const under = (localhostProfile: string) => ({
    securityContext: { seccompProfile: { type: 'Localhost', localhostProfile } },
  });
  const script = 'touch /tmp/a && echo file; mkdir /tmp/b 2> /dev/null || echo no folder';
  await site.check('filtered', shell(script), { log: ['file', 'no folder'], code: 0 }, under('no-folders.json'));
  await node.run('unfiltered', shell(SLEEP), under('missing.json'));
  await node.until('unfiltered', (pod) => waitingFor(pod) === 'CreateContainerError');
  await node.delete('unfiltered');
});

story('init containers come first, a sidecar runs beside', async () => {
  const volumeMounts = [{ name: 'shared', mountPath: '/shared' }];
  const pod = await site.check(
    'ordered',
    { ...shell('cat /shared/init; until [ -f /shared/side ]; do sleep 0.1; done; cat /shared/side'), volumeMounts },
    { log: ['first', 'second'], code: 0 },
    {
      volumes: [{ name: 'shared', emptyDir: {} }],
      initContainers: [
        { name: 'init', ...shell('echo first > /shared/init'), volumeMounts },
        { name: 'side', ...shell(`echo second > /shared/side; ${SLEEP}`), volumeMounts, restartPolicy: 'Always' },
      ],
    },
  );
  assert.equal(pod.status?.initContainerStatuses?.length, 2);
});

story('ConfigMaps and Secrets are files that follow their objects', async () => {
  await node.create('configmaps', objectOf('ConfigMap', 'words', { data: { greeting: 'hello' } }));
  await node.run(
    'follower',
    {
      ...shell(`until grep -q bye /words/greeting; do sleep 0.05; done; echo seen; ${SLEEP}`),
      volumeMounts: [{ name: 'words', mountPath: '/words' }],
    },
    { volumes: [{ name: 'words', configMap: { name: 'words' } }] },
  );
  await node.until('follower', isReady);
  const ref = { gvr: { group: '', version: 'v1', resource: 'configmaps' }, namespace: 'default', name: 'words' };
  await node.client.patch(ref, { data: { greeting: 'bye' } }, { type: 'merge' });
  await node.until('follower', (pod) => site.logOf(pod).includes('seen'));
});

story('privileges are what the securityContext says', () =>
  site
    .check(
      'humble',
      {
        ...shell(
          'id -u; id -g; touch /x 2>/dev/null || echo read-only; grep NoNewPrivs /proc/self/status | tr -d "\\t"',
        ),
        securityContext: {
          runAsUser: 1234,
          runAsGroup: 55,
          readOnlyRootFilesystem: true,
          allowPrivilegeEscalation: false,
        },
      },
      { log: ['1234', '55', 'read-only', 'NoNewPrivs:1'], code: 0 },
    )
    .then(() => {}),
);

story('what uses more memory than its limit is ended, and the status says why', async () => {
  const resources = { limits: { memory: '16Mi' } };
  await site.check(
    'greedy',
    { ...shell('exec tail -c 200m /dev/zero'), resources },
    { code: 137, reason: 'OOMKilled' },
  );
});

story('a container that must not be root and would be is refused', async () => {
  await node.run('rootless', { ...shell('true'), securityContext: { runAsNonRoot: true } });
  const pod = await node.until(
    'rootless',
    ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerConfigError',
  );
  assert.match(pod.status?.containerStatuses?.[0]?.state?.waiting?.message ?? '', /runAsNonRoot/);
  await node.delete('rootless', 0);
});

story('a program that is not there counts as an attempt that failed', async () => {
  await site.check('missing', { image: BUSYBOX_IMAGE, command: ['/no/such'] }, { code: 128, reason: 'StartError' });
});

story('an image that is not there and may not be pulled is refused by name', async () => {
  await node.run('absent', { image: 'skerry.test/absent:1', imagePullPolicy: 'Never' });
  await node.until(
    'absent',
    ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === 'ErrImageNeverPull',
  );
  await node.delete('absent', 0);
});

story('an image is pulled with the pod’s own credentials, and without them it is not', async () => {
  await using registry = await TestRegistry.start({ username: 'edge', password: 'sesame' });
  const image = `${registry.host}/team/busybox:1`;
  await node.run('denied', { image, command: ['true'] });
  const denied = await node.until('denied', (pod) => waitingFor(pod) === 'ErrImagePull');
  assert.match(denied.status?.containerStatuses?.[0]?.state?.waiting?.message ?? '', /401|authoriz/);
  await node.delete('denied', 0);
  const auths = { [registry.host]: { username: 'edge', password: 'sesame' } };
  const data = { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') };
  await node.create('secrets', objectOf('Secret', 'registry', { type: 'kubernetes.io/dockerconfigjson', data }));
  const imagePullSecrets = [{ name: 'registry' }];
  await site.check(
    'pulled',
    { image, command: ['echo', 'pulled'] },
    { log: ['pulled'], code: 0 },
    { imagePullSecrets },
  );
});

story('an image that is present runs where no registry is, also when it should be pulled', async () => {
  const image = '127.0.0.1:9/gone/busybox:1';
  site.containerd.ctr('images', 'tag', BUSYBOX_IMAGE, image);
  await site.check(
    'alone',
    { image, command: ['echo', 'alone'], imagePullPolicy: 'Always' },
    { log: ['alone'], code: 0 },
  );
  await eventually('the event', async () =>
    (await node.events('alone')).some((text) => /ImageNotRefreshed/.test(text)),
  );
});

story('probes of all kinds reach into the pod', async () => {
  await node.run('probed', {
    ...shell('mkdir /www; echo ok > /www/index.html; exec httpd -f -p 8080 -h /www'),
    startupProbe: { exec: { command: ['test', '-f', '/www/index.html'] }, periodSeconds: 1 },
    readinessProbe: { httpGet: { port: 8080 }, periodSeconds: 1 },
    livenessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
  });
  await node.until('probed', isReady);
  await node.delete('probed', 0);
});

story('a container that fails its liveness probe is restarted, and its first log is kept', async () => {
  await node.run('sickly', {
    ...shell(`echo alive; ${SLEEP}`),
    livenessProbe: { exec: { command: ['false'] }, periodSeconds: 1, failureThreshold: 1 },
  });
  const pod = await node.until('sickly', ({ status }) => (status?.containerStatuses?.[0]?.restartCount ?? 0) > 0);
  const previous = await site.ask({
    kind: 'log',
    namespace: 'default',
    pod: 'sickly',
    container: 'main',
    previous: true,
  });
  assert.equal(Buffer.concat(previous).toString(), 'alive\n');
  assert.equal(pod.status?.containerStatuses?.[0]?.lastState?.terminated?.exitCode, 0);
  await node.delete('sickly', 0);
});

story('hooks run after the start and before the end, and the end is graceful', async () => {
  const command = (script: string) => ({ exec: { command: ['sh', '-c', script] } });
  await node.run('hooked', {
    ...shell('trap "echo asked; exit 0" TERM; while :; do sleep 0.1; done'),
    lifecycle: { postStart: command('echo started > /proc/1/fd/1'), preStop: command('echo stopping > /proc/1/fd/1') },
  });
  const pod = await node.until('hooked', isReady);
  const log = join(node.directory, 'logs', `default_hooked_${pod.metadata.uid}`, 'main', '0.log');
  let last = '';
  const watching = (async () => {
    for (;;) {
      try {
        last = readFileSync(log, 'utf8');
      } catch {
        return;
      }
      await systemClock.sleep(5);
    }
  })();
  await node.delete('hooked', 5);
  await node.gone('hooked');
  await watching;
  assert.deepEqual(
    last
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split(' ')[3]),
    ['started', 'stopping', 'asked'],
  );
});

story('both runtimes serve: the class decides, and an image of the host is a process', async () => {
  const classes = { group: 'node.k8s.io', version: 'v1', resource: 'runtimeclasses' };
  await node.client.create(classes, {
    apiVersion: 'node.k8s.io/v1',
    kind: 'RuntimeClass',
    metadata: { name: 'boxes' },
    handler: 'containerd',
  });
  await node.run('native', { image: 'host', command: ['sleep', '1000'] });
  const native = await node.until('native', isReady);
  assert.match(native.status?.containerStatuses?.[0]?.containerID ?? '', /^process:/);
  await node.run('contained', shell(SLEEP), { runtimeClassName: 'boxes' });
  const contained = await node.until('contained', isReady);
  assert.match(contained.status?.containerStatuses?.[0]?.containerID ?? '', /^containerd:/);
  await node.delete('native', 0);
  await node.delete('contained', 0);
});

story('a pod that has ended for good gives its sandbox back and keeps its log', async () => {
  const pod = await site.check('finished', shell('echo done'), { code: 0 });
  const isAlive = () => site.containerd.ctr('tasks', 'ls').includes(sandboxesNamed('finished')[0] ?? '-');
  await eventually('its sandbox ends', () => isAlive() === false);
  const log = await site.ask({ kind: 'log', namespace: 'default', pod: pod.metadata.name ?? '', container: 'main' });
  assert.equal(Buffer.concat(log).toString(), 'done\n');
  await node.delete('finished');
  await node.gone('finished');
});

story('a runtime that is restarted finds its containers, and we find it', async () => {
  await node.run('talker', shell(SLEEP));
  const before = await node.until('talker', isReady);
  await site.containerd.kill9();
  await site.containerd.start();
  await site.check('afterwards', shell('echo still here'), { log: ['still here'], code: 0 });
  const after = await node.until('talker', isReady);
  assert.equal(after.status?.containerStatuses?.[0]?.restartCount, 0);
  assert.equal(after.status?.podIP, before.status?.podIP);
});

story('a pod whose sandbox dies begins anew with another one', async () => {
  await node.run('bereft', shell(SLEEP));
  const before = await node.until('bereft', isReady);
  const pause = sandboxesNamed('bereft')[0] ?? '';
  site.containerd.ctr('tasks', 'kill', '--signal', 'SIGKILL', pause);
  const after = await eventually('it is ready again', async () => {
    const pod = await node.get('bereft');
    const [own] = pod?.status?.containerStatuses ?? [];
    return own?.restartCount === 1 && own.ready && pod;
  });
  assert.notEqual(after.status?.podIP, before.status?.podIP);
  await eventually('it is told', async () =>
    (await node.events('bereft')).some((event) => event.startsWith('Normal SandboxChanged ')),
  );
  await node.delete('bereft', 0);
  await node.gone('bereft');
});

story('a sweep removes what belongs to nobody and nothing else', async () => {
  await node.containers?.preparePod(
    { ...(await node.until('talker', isReady)), metadata: { name: 'lost', namespace: 'default', uid: 'lost' } },
    join(node.directory, 'logs', 'lost'),
  );
  assert.equal(sandboxesNamed('lost').length, 1);
  await node.containers?.sweep?.((uid) => uid !== 'lost');
  assert.equal(sandboxesNamed('lost').length, 0);
  await node.until('talker', isReady);
});

function sandboxesNamed(pod: string): readonly string[] {
  const filters = [`labels."io.kubernetes.pod.name"==${pod},labels."io.cri-containerd.kind"==sandbox`];
  const lines = site.containerd.ctr('containers', 'ls', '-q', ...filters) ?? '';
  return lines.split('\n').filter(Boolean);
}

story('a deleted pod leaves neither sandbox nor container', async () => {
  const pod = await node.get('talker');
  await node.delete('talker');
  await node.gone('talker');
  assert.ok(!site.containerd.ctr('containers', 'ls').includes('talker'));
  assert.ok(!(await node.containers?.list())?.some(({ labels }) => labels.uid === pod?.metadata.uid));
});

story('an agent that comes back takes its containers over', async () => {
  await node.run('survivor', shell(SLEEP));
  await node.run('orphan', shell(SLEEP));
  const before = await node.until('survivor', isReady);
  await node.until('orphan', isReady);
  await node.restartAgent(() => node.delete('orphan', 0));
  const after = await node.until('survivor', isReady);
  assert.equal(after.status?.containerStatuses?.[0]?.containerID, before.status?.containerStatuses?.[0]?.containerID);
  assert.equal(after.status?.podIP, before.status?.podIP);
  await node.gone('orphan');
});

story('after a reboot every pod runs again, as no crash of its own', async () => {
  const before = await node.until('survivor', isReady);
  await node.reboot();
  const id = before.status?.containerStatuses?.[0]?.containerID;
  const after = await node.until(
    'survivor',
    (pod) => isReady(pod) && pod.status?.containerStatuses?.[0]?.containerID !== id,
  );
  assert.equal(after.status?.containerStatuses?.[0]?.lastState?.terminated?.reason, 'NodeRebooted');
  await node.delete('survivor', 0);
  await node.gone('survivor');
});
