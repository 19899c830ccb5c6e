import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually } from '@skerry/testkit/processes';
import type { Container, Pod, PodSpec } from './pod/types.ts';
import { hasBubblewrap, isRoot, objectOf, type ScratchNode, scratchNode } from './testing/scratch-node.ts';

/** Far longer than it takes. */
const EXEC_MS = 60_000;
const skip = hasBubblewrap ? false : 'bubblewrap is missing: apt-get install bubblewrap';
const skipUids = isRoot ? skip : 'uids of their own need root';

let node: ScratchNode;
before(async () => {
  node = await scratchNode();
});
after(() => node[Symbol.asyncDispose]());

interface Expected {
  readonly phase: string;
  readonly log?: readonly string[];
  readonly code?: number;
  readonly reason?: string;
  readonly message?: RegExp;
}

/** Runs a pod to its end (or to `isDone`) and compares what became of it. */
async function check(
  name: string,
  container: Partial<Container>,
  expected: Expected,
  spec: Partial<PodSpec> = {},
): Promise<void> {
  await finished(name, container, expected, spec);
}

async function finished(
  name: string,
  container: Partial<Container>,
  expected: Expected,
  spec: Partial<PodSpec> = {},
): Promise<Pod> {
  await node.run(name, container, { restartPolicy: 'Never', ...spec });
  const pod = await node.until(name, ({ status }) => status?.phase === expected.phase && hasState(status));
  const state = pod.status?.containerStatuses?.[0]?.state;
  const ended = state?.terminated;
  if (expected.log !== undefined) assert.deepEqual(logOf(pod), expected.log);
  if (expected.code !== undefined) assert.equal(ended?.exitCode, expected.code);
  if (expected.reason !== undefined) assert.equal(ended?.reason ?? state?.waiting?.reason, expected.reason);
  if (expected.message !== undefined) assert.match(ended?.message ?? state?.waiting?.message ?? '', expected.message);
  return pod;
}

const hasState = (status: Pod['status']) => {
  const state = status?.containerStatuses?.[0]?.state;
  return state?.waiting === undefined || !['ContainerCreating', 'PodInitializing'].includes(state.waiting.reason ?? '');
};

function logOf({ metadata }: Pod, container = 'main', attempt = 0): string[] {
  const directory = join(node.directory, 'logs', `default_${metadata.name}_${metadata.uid}`, container);
  const text = readFileSync(join(directory, `${attempt}.log`), 'utf8');
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => line.split(' ').slice(3).join(' '));
}

const shell = (script: string): Partial<Container> => ({ command: ['sh', '-c', script] });

test('a program of the host runs to its end and its exit code is told', () =>
  check('ends', shell('echo hello; exit 3'), { phase: 'Failed', log: ['hello'], code: 3, reason: 'Error' }));

test('values reach the program as they are, and no shell in between looks at them', { skip }, () => {
  const nasty = '1.2;touch pwned $(id) `id` \\ "\' \t$HOME';
  return check(
    'nasty',
    { command: ['printf', '%s|'], args: [nasty, '$(X)', '$(NOPE)', '$$(X)'], env: [{ name: 'X', value: nasty }] },
    { phase: 'Succeeded', log: [`${nasty}|${nasty}|$(NOPE)|$(X)|`] },
  );
});

test('an image that cannot be had is waited for with the reason, and the wait for the next try is told', async () => {
  const image = '127.0.0.1:1/web';
  await check('image', { image }, { phase: 'Pending', reason: 'ErrImagePull', message: /is not reached/ });
  const waiting = ({ status }: Pod) => status?.containerStatuses?.[0]?.state?.waiting;
  const pod = await node.until('image', (one) => waiting(one)?.reason === 'ImagePullBackOff');
  assert.match(waiting(pod)?.message ?? '', /^Back-off pulling image "127.0.0.1:1\/web": ErrImagePull: registry 127/);
  await eventually('the events are written', async () => {
    const events = await node.events('image');
    return (
      events.includes(`Normal BackOff Back-off pulling image "${image}"`) &&
      events.includes('Warning Failed Error: ImagePullBackOff') &&
      events.includes('Warning Failed Error: ErrImagePull')
    );
  });
});

test('no volume lies over the programs that drop the privileges of root', { skip: skipUids }, async () => {
  const data = { setpriv: '#!/bin/sh\nid -u > /v/pwned' };
  await node.create('configmaps', objectOf('ConfigMap', 'fake', { data }));
  for (const [index, mountPath] of ['/usr/bin', '/usr/bin/setpriv', '/etc/ld.so.preload', '/proc/sys'].entries()) {
    const fake = { name: 'fake', mountPath, ...(mountPath.endsWith('setpriv') ? { subPath: 'setpriv' } : {}) };
    await check(
      `fake-${index}`,
      { ...shell('true'), volumeMounts: [fake] },
      { phase: 'Pending', reason: 'CreateContainerConfigError', message: /a volume cannot be mounted at/ },
      { volumes: [{ name: 'fake', configMap: { name: 'fake', defaultMode: 0o755 } }] },
    );
  }
});

test('a program that is not there ends the container with 128 and the reason', () =>
  check('absent', { command: ['no-such-program'] }, { phase: 'Failed', code: 128, reason: 'StartError' }));

test('environment comes from everywhere it may come from', { skip }, async () => {
  await node.create('configmaps', objectOf('ConfigMap', 'env', { data: { A: 'a', B: 'b' } }));
  await node.create('secrets', objectOf('Secret', 'env', { data: { S: Buffer.from('s').toString('base64') } }));
  await check(
    'env',
    {
      ...shell(
        'echo $P_A $P_B $S $NAME $LIMIT $BOTH $KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT $(hostname) $PWD',
      ),
      envFrom: [{ prefix: 'P_', configMapRef: { name: 'env' } }],
      env: [
        { name: 'S', valueFrom: { secretKeyRef: { name: 'env', key: 'S' } } },
        { name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
        { name: 'LIMIT', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
        { name: 'BOTH', value: '$(S)-$(NAME)' },
      ],
      resources: { limits: { memory: '64Mi' } },
      workingDir: '/usr',
    },
    { phase: 'Succeeded', log: ['a b s env 64 s-env 127.0.0.1:10443 env /usr'] },
  );
});

test('a missing ConfigMap holds the container back until it is there', { skip }, async () => {
  await node.run(
    'late',
    { ...shell('echo $V'), env: [{ name: 'V', valueFrom: { configMapKeyRef: { name: 'late', key: 'V' } } }] },
    { restartPolicy: 'Never' },
  );
  const waiting = await node.until(
    'late',
    (pod) => pod.status?.containerStatuses?.[0]?.state?.waiting?.message !== undefined,
  );
  assert.deepEqual(waiting.status?.containerStatuses?.[0]?.state?.waiting, {
    reason: 'CreateContainerConfigError',
    message: 'configmap "late" not found',
  });
  await node.create('configmaps', objectOf('ConfigMap', 'late', { data: { V: 'now' } }));
  const pod = await node.until('late', ({ status }) => status?.phase === 'Succeeded');
  assert.deepEqual(logOf(pod), ['now']);
});

test('of the node’s directory a program sees nothing but what its pod mounts', { skip }, async () => {
  const path = join(node.directory, 'drivers.sock');
  const server = createServer().listen(path);
  await once(server, 'listening');
  await check(
    'blind',
    {
      ...shell(`ls -A ${node.directory}; test -S /mnt/drivers.sock && echo given`),
      volumeMounts: [{ name: 'socket', mountPath: '/mnt/drivers.sock' }],
    },
    { phase: 'Succeeded', log: ['given'] },
    {
      volumes: [{ name: 'socket', hostPath: { path, type: 'Socket' } }],
      securityContext: { runAsUser: userInfo().uid },
    },
  ).finally(() => server.close());
});

test('volumes are where they are mounted, and a changed ConfigMap is seen', { skip }, async () => {
  await node.create('configmaps', objectOf('ConfigMap', 'files', { data: { 'app.conf': 'one' } }));
  mkdirSync(join(node.directory, 'shared'), { mode: 0o777 });
  const script =
    'cat /etc/app/app.conf; echo; cat /var/run/secrets/token/token; echo; cat /info/labels; echo; ' +
    'echo mine > /scratch/file; cat /scratch/file; ls /etc/passwd; test -w /etc/app/app.conf || echo read-only; ' +
    'while [ "$(cat /etc/app/app.conf)" = one ]; do sleep 0.05; done; cat /etc/app/app.conf; echo';
  await node.run(
    'volumes',
    {
      ...shell(script),
      volumeMounts: [
        { name: 'config', mountPath: '/etc/app', readOnly: true },
        { name: 'scratch', mountPath: '/scratch' },
        { name: 'token', mountPath: '/var/run/secrets/token' },
        { name: 'info', mountPath: '/info' },
      ],
    },
    {
      restartPolicy: 'Never',
      volumes: [
        { name: 'config', configMap: { name: 'files' } },
        { name: 'scratch', emptyDir: {} },
        { name: 'token', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } },
        { name: 'info', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
      ],
    },
    { labels: { app: 'x' } },
  );
  await node.until('volumes', (running) => running.status?.phase === 'Running' && logOf(running).length >= 6);
  await node.client.patch(
    { gvr: { group: '', version: 'v1', resource: 'configmaps' }, namespace: 'default', name: 'files' },
    { data: { 'app.conf': 'two' } },
    { type: 'merge' },
  );
  const pod = await node.until('volumes', ({ status }) => status?.phase === 'Succeeded');
  assert.deepEqual(logOf(pod), ['one', 'token-of-default', 'app="x"', 'mine', '/etc/passwd', 'read-only', 'two']);
  assert.equal(existsSync('/scratch'), false, 'nothing was made on the host');
  assert.equal(existsSync('/etc/app'), false, 'nothing was made on the host');
});

test('each pod has a uid of its own and no privilege', { skip: skipUids }, async () => {
  const pod = await finished(
    'uid',
    {
      ...shell(
        'id -u; id -g; grep -E "^(CapEff|NoNewPrivs)" /proc/self/status | tr -d "\\t"; cat /etc/shadow 2>/dev/null || echo no',
      ),
    },
    { phase: 'Succeeded' },
  );
  const [uid = '', gid, ...rest] = logOf(pod);
  assert.ok(Number(uid) >= 1_900_000_000, uid);
  assert.equal(gid, uid);
  assert.deepEqual(rest, ['CapEff:0000000000000000', 'NoNewPrivs:1', 'no']);
});

test('users, groups, capabilities and a read-only root are as asked', { skip: skipUids }, () =>
  check(
    'asked',
    {
      ...shell(
        'id -u; id -g; id -G; grep ^CapEff /proc/self/status | tr -d "\\t"; touch /tmp/x 2>/dev/null || echo read-only; echo ok > /data/f && ls -n /data/f | cut -d" " -f4',
      ),
      securityContext: { readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'], add: ['NET_BIND_SERVICE'] } },
      volumeMounts: [{ name: 'data', mountPath: '/data' }],
    },
    { phase: 'Succeeded', log: ['1234', '55', '55 66 77', 'CapEff:0000000000000400', 'read-only', '77'] },
    {
      securityContext: { runAsUser: 1234, runAsGroup: 55, supplementalGroups: [66], fsGroup: 77 },
      volumes: [{ name: 'data', emptyDir: {} }],
    },
  ),
);

test('a loader variable is obeyed by the program only, once it has no privilege', { skip: skipUids }, () =>
  check(
    'loader',
    { command: ['sh', '-c', 'echo $LD_PRELOAD'], env: [{ name: 'LD_PRELOAD', value: '/tmp/evil.so' }] },
    { phase: 'Succeeded' },
  ),
);

test('runAsNonRoot refuses root', { skip: skipUids }, () =>
  check(
    'nonroot',
    { ...shell('id'), securityContext: { runAsUser: 0, runAsNonRoot: true } },
    { phase: 'Pending', reason: 'CreateContainerConfigError', message: /runAsNonRoot/ },
  ),
);

test('a container past its memory limit is OOMKilled', { skip: skipUids }, () =>
  check(
    'oom',
    { command: ['tail', '/dev/zero'], resources: { limits: { memory: '16Mi' } } },
    { phase: 'Failed', code: 137, reason: 'OOMKilled' },
  ),
);

test('init containers run in order, then the sidecar, then the rest; the sidecar ends last', { skip }, async () => {
  const mount = { volumeMounts: [{ name: 'shared', mountPath: '/shared' }] };
  const say = (word: string) => ({ image: 'host', ...shell(`echo ${word} >> /shared/log`), ...mount });
  await check(
    'order',
    { ...shell('echo main >> /shared/log; sleep 0.3; cat /shared/log'), ...mount },
    { phase: 'Succeeded', log: ['one', 'two', 'side', 'main'] },
    {
      volumes: [{ name: 'shared', emptyDir: {} }],
      initContainers: [
        { name: 'one', ...say('one') },
        { name: 'two', ...say('two') },
        {
          name: 'side',
          image: 'host',
          ...shell('echo side >> /shared/log; exec sleep 1000'),
          ...mount,
          restartPolicy: 'Always',
          startupProbe: { exec: { command: ['grep', 'side', '/shared/log'] }, periodSeconds: 1 },
        },
      ],
    },
  );
});

test('readiness follows its probe, and liveness restarts', { skip }, async () => {
  const patient = { periodSeconds: 1, timeoutSeconds: 30 };
  await node.run(
    'probed',
    {
      ...shell('touch /state/live; exec sleep 1000'),
      volumeMounts: [{ name: 'state', mountPath: '/state' }],
      readinessProbe: { exec: { command: ['test', '-e', '/state/ready'] }, ...patient },
      livenessProbe: { exec: { command: ['test', '-e', '/state/live'] }, ...patient, failureThreshold: 1 },
    },
    { volumes: [{ name: 'state', emptyDir: {} }] },
  );
  const pod = await node.until('probed', ({ status }) => status?.phase === 'Running' && ready(status) === 'False');
  const id = pod.status?.containerStatuses?.[0]?.containerID?.split('//')[1] ?? '';
  await node.runtime.execSync(id, ['touch', '/state/ready'], EXEC_MS);
  await node.until('probed', ({ status }) => ready(status) === 'True');
  await node.runtime.execSync(id, ['rm', '/state/live'], EXEC_MS);
  await node.until('probed', ({ status }) => status?.containerStatuses?.[0]?.restartCount === 1);
  const events = await node.events('probed');
  assert.ok(
    events.some((event) => event.startsWith('Warning Unhealthy Liveness probe failed')),
    events.join('\n'),
  );
  assert.ok(
    events.includes('Normal Killing Container main failed liveness probe, will be restarted'),
    events.join('\n'),
  );
  await node.delete('probed');
  await node.gone('probed');
});

const ready = (status: Pod['status']) => status?.conditions?.find(({ type }) => type === 'Ready')?.status;

test('hooks run after the start and before the end', { skip }, async () => {
  const shared = join(node.directory, 'hooks');
  mkdirSync(shared);
  await node.run(
    'hooks',
    {
      ...shell('trap "echo term >> /h/log; exit 0" TERM; echo main >> /h/log; while :; do sleep 0.05; done'),
      volumeMounts: [{ name: 'h', mountPath: '/h' }],
      lifecycle: {
        postStart: { exec: { command: ['sh', '-c', 'sleep 0.2; echo post >> /h/log'] } },
        preStop: { exec: { command: ['sh', '-c', 'echo pre >> /h/log'] } },
      },
      securityContext: isRoot ? { runAsUser: 0 } : {},
    },
    { volumes: [{ name: 'h', hostPath: { path: shared } }], terminationGracePeriodSeconds: 5 },
  );
  await node.until('hooks', ({ status }) => ready(status) === 'True');
  await node.delete('hooks');
  await node.gone('hooks');
  assert.deepEqual(readFileSync(join(shared, 'log'), 'utf8').split('\n'), ['main', 'post', 'pre', 'term', '']);
});

test('a program that ignores the signal is killed when its grace is over, and nothing of it is left', {
  skip,
}, async () => {
  await node.run('stubborn', shell('trap "" TERM; while :; do sleep 0.05; done'), { terminationGracePeriodSeconds: 1 });
  const pod = await node.until('stubborn', ({ status }) => ready(status) === 'True');
  await node.delete('stubborn');
  await node.gone('stubborn');
  assert.equal(existsSync(join(node.directory, 'pods', pod.metadata.uid ?? '')), false);
  assert.deepEqual(
    readdirSync(join(node.directory, 'logs')).filter((name) => name.includes('stubborn')),
    [],
  );
});

test('a crashing container is restarted at once, then backs off, and its earlier log is kept', { skip }, async () => {
  await node.run('crash', shell('echo run; exit 1'));
  const pod = await node.until(
    'crash',
    ({ status }) => status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff',
  );
  const [status] = pod.status?.containerStatuses ?? [];
  assert.equal(status?.restartCount, 1);
  assert.equal(status?.lastState?.terminated?.exitCode, 1);
  assert.match(
    status?.state?.waiting?.message ?? '',
    /^back-off 10s restarting failed container=main pod=crash_default/,
  );
  assert.deepEqual(logOf(pod, 'main', 0), ['run']);
  assert.equal(pod.status?.phase, 'Running');
  const told = `Warning BackOff Back-off restarting failed container main in pod crash_default(${pod.metadata.uid})`;
  await eventually('the event is written', async () => (await node.events('crash')).includes(told));
});

test('an agent that comes back adopts what runs and learns what ended', { skip }, async () => {
  await node.run('adopt', shell('sleep 1000'));
  const shared = join(node.directory, 'adopt');
  mkdirSync(shared);
  await node.run(
    'ended',
    {
      ...shell('while [ ! -e /h/go ]; do sleep 0.05; done; echo bye; exit 7'),
      volumeMounts: [{ name: 'h', mountPath: '/h' }],
    },
    { restartPolicy: 'Never', volumes: [{ name: 'h', hostPath: { path: shared } }] },
  );
  const before = await node.until('adopt', ({ status }) => ready(status) === 'True');
  await node.until('ended', ({ status }) => status?.phase === 'Running');
  const pid = async (pod = 'adopt') => (await node.runtime.list()).find(({ labels }) => labels.pod === pod)?.pid;
  const [pidBefore, pidOfEnded] = [await pid(), await pid('ended')];
  await node.restartAgent(async () => {
    writeFileSync(join(shared, 'go'), '');
    await eventually('it has ended', () => !existsSync(`/proc/${pidOfEnded}`));
  });
  const ended = await node.until('ended', ({ status }) => status?.phase === 'Failed');
  assert.equal(ended.status?.containerStatuses?.[0]?.state?.terminated?.exitCode, 7);
  assert.deepEqual(logOf(ended), ['bye']);
  const afterwards = await node.until('adopt', ({ status }) => ready(status) === 'True');
  assert.equal(await pid(), pidBefore);
  assert.deepEqual(afterwards.status, before.status, 'adoption changes nothing in the status');
});

test('a pod deleted by force while the agent was away is ended on its return', { skip }, async () => {
  await node.run('orphan', shell('sleep 1000'));
  await node.until('orphan', ({ status }) => ready(status) === 'True');
  await node.restartAgent(() => node.delete('orphan', 0));
  await eventually('nothing of it is left', async () =>
    (await node.runtime.list()).every(({ labels }) => labels.pod !== 'orphan'),
  );
});

test('after a reboot every pod runs anew', { skip }, async () => {
  await node.run('phoenix', shell('echo up; exec sleep 1000'), {
    initContainers: [{ name: 'init', image: 'host', ...shell('echo init') }],
  });
  await node.until('phoenix', ({ status }) => ready(status) === 'True');
  await node.reboot();
  const pod = await node.until(
    'phoenix',
    ({ status }) => ready(status) === 'True' && status?.containerStatuses?.[0]?.restartCount === 1,
  );
  assert.equal(pod.status?.containerStatuses?.[0]?.lastState?.terminated?.reason, 'NodeRebooted');
  assert.equal(pod.status?.initContainerStatuses?.[0]?.restartCount, 1);
});
