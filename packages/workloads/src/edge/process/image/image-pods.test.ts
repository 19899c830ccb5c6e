import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually, skipWithout, writeImageLayout } from '@skerry/testkit/processes';
import { type MemoryImage, memoryImage } from '../../../images/testing/memory-images.ts';
import { MemoryRegistry } from '../../../images/testing/memory-registry.ts';
import { type RawEntry, tarOf } from '../../../images/testing/tar-archive.ts';
import type { Container, Pod, PodSpec } from '../../pod/types.ts';
import { objectOf, type ScratchNode, scratchNode } from '../../testing/scratch-node.ts';

const skip = skipWithout('bubblewrap', 'busybox-static');
const PASSWD = 'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001::/srv:/bin/sh\n';
const GROUP = 'root:x:0:\nweb:x:1001:\nextra:x:1002:web\n';

let node: ScratchNode;
let registry: MemoryRegistry;
let busybox: Buffer;
before(async () => {
  if (skip) return;
  busybox = busyboxLayer();
  registry = await MemoryRegistry.start();
  node = await scratchNode();
});
after(async () => {
  await node?.[Symbol.asyncDispose]();
  await registry?.[Symbol.asyncDispose]();
});

/** A root file system with all of busybox. */
function busyboxLayer(): Buffer {
  const work = mkdtempSync(join(tmpdir(), 'skerry-layer-'));
  try {
    const blobs = join(writeImageLayout(work), 'blobs', 'sha256');
    const sizes = readdirSync(blobs).map((name) => readFileSync(join(blobs, name)));
    return sizes.reduce((largest, blob) => (blob.length > largest.length ? blob : largest));
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** An image with busybox, a few accounts, these entries above, and this config. */
function imageOf(config: object = {}, entries: readonly RawEntry[] = []): MemoryImage {
  const accounts = [
    { name: 'etc/passwd', content: PASSWD },
    { name: 'etc/group', content: GROUP },
    { name: 'srv/', type: '5', mode: 0o755, uid: 1000, gid: 1001 },
  ];
  return memoryImage([busybox, tarOf([...accounts, ...entries])], { config });
}

let count = 0;
const nameIt = (config: object = {}, entries: readonly RawEntry[] = []) =>
  registry.add(`image-${++count}`, imageOf(config, entries));

const waiting = ({ status }: Pod) => status?.containerStatuses?.[0]?.state?.waiting;
const isRunning = ({ status }: Pod) => status?.phase === 'Running' && status.containerStatuses?.[0]?.started === true;
const isOver = ({ status }: Pod) => status?.phase === 'Succeeded' || status?.phase === 'Failed';

/** What the container printed, line by line, once it has ended well. */
async function outputOf(name: string, container: Partial<Container>, spec: Partial<PodSpec> = {}): Promise<string[]> {
  await node.run(name, container, { restartPolicy: 'Never', ...spec });
  const pod = await node.until(name, isOver);
  const lines = logOf(name);
  assert.equal(pod.status?.phase, 'Succeeded', `${lines.join('\n')} ${JSON.stringify(pod.status?.containerStatuses)}`);
  return lines;
}

function logOf(name: string): string[] {
  const logs = join(node.directory, 'logs');
  const folder = readdirSync(logs).find((entry) => entry.startsWith(`default_${name}_`)) ?? '';
  const text = readFileSync(join(logs, folder, 'main', '0.log'), 'utf8').trimEnd();
  return text === '' ? [] : text.split('\n').map((line) => line.split(' ').slice(3).join(' '));
}

const shell = (script: string): Partial<Container> => ({ command: ['/bin/sh', '-c', script] });
const idOf = ({ status }: Pod) => status?.containerStatuses?.[0]?.containerID?.split('://')[1] ?? '';
const execute = async (name: string, script: string) => {
  const pod = await node.get(name);
  assert.ok(pod);
  const { output } = await node.runtime.execSync(idOf(pod), ['/bin/sh', '-c', script], 20_000);
  return output.trim();
};

async function checkRefused(name: string, container: Partial<Container>, reason: string, message: RegExp) {
  await node.run(name, container);
  const pod = await node.until(name, (one) => {
    const found = waiting(one);
    // While it waits for the next try, the message names the reason.
    return found?.reason === reason || (found?.message ?? '').includes(`${reason}: `);
  });
  assert.match(waiting(pod)?.message ?? '', message);
}

test('an image runs in its own root, with its own names and processes', { skip }, async () => {
  const lines = await outputOf('own', {
    image: nameIt(),
    ...shell('id -u; hostname; ls /usr 2>/dev/null; echo $$$$; grep -c own /etc/hosts; ls /proc | grep -c "^[0-9]*$"'),
  });
  const [uid, hostname, pid, hosts, processes] = lines;
  assert.deepEqual([uid, hostname, pid, hosts], ['0', 'own', '1', '1']);
  assert.ok(Number(processes) < 10, processes);
});

test('the image says how it runs', { skip }, async () => {
  const image = nameIt({
    Entrypoint: ['/bin/echo', 'from'],
    Cmd: ['the', 'image'],
    Env: ['A=1', 'PATH=/bin'],
    WorkingDir: '/srv/deep',
    User: 'web',
  });
  assert.deepEqual(await outputOf('plain', { image }), ['from the image']);
  assert.deepEqual(await outputOf('args', { image, args: ['me'] }), ['from me']);
  const script = 'echo $A $B $PATH $HOME $PWD; id -u; id -g';
  const lines = await outputOf('more', { image, ...shell(script), env: [{ name: 'B', value: '2' }] });
  assert.deepEqual(lines, ['1 2 /bin /srv /srv/deep', '1000', '1001']);
});

test('an image’s user has the groups of the image', { skip: skip || skipWithout('root') }, async () => {
  const script = 'id -G; touch /srv/mine; touch /x 2>&1 || true';
  const lines = await outputOf('groups', { image: nameIt({ User: 'web' }), ...shell(script) });
  assert.deepEqual(lines, ['1001 1002', 'touch: /x: Permission denied']);
});

test('the pod’s word counts before the image’s', { skip }, async () => {
  const image = nameIt({ User: 'web', WorkingDir: '/srv', Env: ['A=image'] });
  const lines = await outputOf('pod', {
    image,
    ...shell('echo $A $PWD; id -u'),
    workingDir: '/tmp',
    env: [{ name: 'A', value: 'pod' }],
    securityContext: { runAsUser: 77 },
  });
  assert.deepEqual(lines, ['pod /tmp', '77']);
});

test('volumes are where the pod wants them, and belong to whoever runs', { skip }, async () => {
  await node.create('configmaps', objectOf('ConfigMap', 'settings', { data: { key: 'value' } }));
  const spec: Partial<PodSpec> = {
    volumes: [
      { name: 'data', emptyDir: {} },
      { name: 'settings', configMap: { name: 'settings' } },
    ],
  };
  const volumeMounts = [
    { name: 'data', mountPath: '/new/deep/data' },
    { name: 'data', mountPath: '/dev/shm' },
    { name: 'settings', mountPath: '/etc/passwd.d', readOnly: true },
    { name: 'settings', mountPath: '/link/file', subPath: 'key' },
  ];
  const image = nameIt({ User: '1000' }, [{ name: 'link', type: '2', target: '/srv' }]);
  const reads = 'cat /dev/shm/x; cat /etc/passwd.d/key; echo; cat /srv/file; echo';
  const script = `echo x > /new/deep/data/x; ${reads}; (echo y > /etc/passwd.d/y) 2>/dev/null || echo kept`;
  const lines = await outputOf('volumes', { image, volumeMounts, ...shell(script) }, spec);
  assert.deepEqual(lines, ['x', 'value', 'value', 'kept']);
});

test('a root that is read-only is so but for its volumes', { skip }, async () => {
  const spec = { volumes: [{ name: 'data', emptyDir: {} }] };
  const lines = await outputOf(
    'read-only',
    {
      image: nameIt(),
      ...shell('echo x > /data/x && cat /data/x; echo x > /x || echo kept'),
      volumeMounts: [{ name: 'data', mountPath: '/data' }],
      securityContext: { readOnlyRootFilesystem: true },
    },
    spec,
  );
  assert.deepEqual(
    lines.filter((line) => !line.includes('Read-only')),
    ['x', 'kept'],
  );
});

test('no root of a container, nor a volume of its pod, changes the programs that drop privileges', {
  skip,
}, async () => {
  const tools = '/dev/.skerry';
  const attacks = `mv ${tools} /dev/x || echo kept; touch ${tools}/setpriv || echo kept; rm ${tools}/setpriv || echo kept`;
  const lines = await outputOf('tools', { image: nameIt(), ...shell(`(${attacks}) 2>/dev/null`) });
  assert.deepEqual(lines, ['kept', 'kept', 'kept']);
  const volumeMounts = [{ name: 'data', mountPath: tools }];
  await node.run(
    'cover',
    { image: nameIt(), ...shell('true'), volumeMounts },
    { volumes: [{ name: 'data', emptyDir: {} }] },
  );
  const pod = await node.until('cover', (one) => /cannot be mounted/.test(waiting(one)?.message ?? ''));
  assert.match(waiting(pod)?.message ?? '', /a volume cannot be mounted at \/dev\/\.skerry/);
});

test('no setting of an image makes the programs that drop privileges load what the image brings', {
  skip,
}, async () => {
  const settings = [
    { name: 'etc/ld.so.preload', content: '/evil.so' },
    { name: 'etc/nsswitch.conf', content: 'passwd: evil\ngroup: evil\n' },
    { name: 'evil.so', content: 'no library' },
  ];
  const securityContext = { runAsUser: 1000, runAsNonRoot: true };
  const script = { ...shell('id -u; sleep 1000'), securityContext };
  await node.run('settings', { image: nameIt({}, settings), ...script });
  await node.until('settings', isRunning);
  await eventually('it said who it is', () => logOf('settings').length > 0);
  assert.deepEqual(logOf('settings'), ['1000'], 'the loader has nothing to say of evil.so');
  assert.equal(await execute('settings', 'id -u'), '1000');
  await node.delete('settings', 0);
  await node.gone('settings');
});

test('commands run beside the first one, in what it sees, as who it is', { skip }, async () => {
  const image = nameIt({ User: 'web', WorkingDir: '/srv', Env: ['A=1', 'LD_PRELOAD=/none.so'] });
  const probe = { exec: { command: ['/bin/sh', '-c', 'test -e /srv/ready'] }, periodSeconds: 1 };
  const script = 'touch /srv/ready; echo hi > /srv/x; while true; do sleep 1; done';
  await node.run('beside', { image, ...shell(script), readinessProbe: probe });
  await node.until('beside', ({ status }) => status?.containerStatuses?.[0]?.ready === true);
  const said = await execute(
    'beside',
    'cat x; id -u; echo $A; grep -a -c sleep /proc/[0-9]*/cmdline | grep -c :1; grep CapEff /proc/self/status',
  );
  const [content, uid, a, sleeps, capabilities] = said.split('\n').filter((line) => !line.includes('ld.so'));
  assert.deepEqual([content, uid, a], ['hi', '1000', '1']);
  assert.ok(Number(sleeps) > 0, said);
  assert.match(capabilities ?? '', /0000000000000000$/);
  await node.restartAgent();
  assert.equal(await execute('beside', 'cat x 2>/dev/null'), 'hi');
});

test('a root that runs a command has no more than the container’s root', { skip }, async () => {
  await node.run('root', { image: nameIt(), ...shell('grep Cap /proc/self/status; while true; do sleep 1; done') });
  await node.until('root', isRunning);
  const capabilities = await execute('root', 'grep Cap /proc/self/status');
  await eventually('the container said its own', () => logOf('root').length === 5);
  assert.deepEqual(capabilities.split('\n'), logOf('root'));
});

test('a terminal can be had, for the container and beside it', { skip: skip || skipWithout('procps') }, async () => {
  await node.run('terminal', {
    image: nameIt(),
    ...shell('test -t 0 && echo on a terminal; sleep 1000'),
    tty: true,
    stdin: true,
  });
  const pod = await node.until('terminal', isRunning);
  await eventually('the container has a terminal', () =>
    logOf('terminal').some((line) => line.includes('on a terminal')),
  );
  const request = { command: ['/bin/sh', '-c', 'test -t 1 && echo yes; ls /bin/busybox'], stdin: true, tty: true };
  const session = await node.runtime.exec(idOf(pod), request);
  let text = '';
  for await (const { chunk } of session.output) text += Buffer.from(chunk).toString('utf8');
  assert.match(text, /yes\s+\/bin\/busybox/);
  await node.delete('terminal', 0);
  await node.gone('terminal');
});

test('what a container writes to its root is counted', { skip }, async () => {
  await node.run('writes', { image: nameIt(), ...shell('dd if=/dev/zero of=/big bs=1M count=3; sleep 1000') });
  const pod = await node.until('writes', isRunning);
  await eventually('it is counted', async () => {
    const own = (await node.runtime.usage()).find(({ id }) => id === idOf(pod));
    return (own?.diskBytes ?? 0) >= 3 * 1024 * 1024;
  });
});

test('each start has a fresh root, and nothing of it stays', { skip }, async (t) => {
  await node.run(
    'again',
    { image: nameIt(), ...shell('test -e /x && exit 3; touch /x; sleep 0.2; exit 1') },
    { restartPolicy: 'OnFailure' },
  );
  // A start that the machine did not let come about is tried again, and says nothing of roots.
  const pod = await node.until('again', ({ status }) => {
    const { terminated } = status?.containerStatuses?.[0]?.lastState ?? {};
    if (terminated?.reason === 'StartError') t.diagnostic(`not started: ${terminated.message}`);
    return terminated !== undefined && terminated.reason !== 'StartError';
  });
  assert.equal(pod.status?.containerStatuses?.[0]?.lastState?.terminated?.exitCode, 1);
  await node.delete('again', 0);
  await node.gone('again');
});

test('the image’s signal ends it', { skip }, async () => {
  const image = nameIt({ StopSignal: 'SIGUSR1' });
  await node.run(
    'signal',
    { image, ...shell('trap "exit 7" USR1; echo set; while true; do sleep 0.1; done') },
    { terminationGracePeriodSeconds: 60 },
  );
  await node.until('signal', isRunning);
  await eventually('the trap is set', () => logOf('signal').includes('set'));
  await node.delete('signal');
  await node.gone('signal');
});

test('what is here starts without any registry, and an event says that it was not asked', { skip }, async () => {
  const away = await MemoryRegistry.start();
  const image = away.add('web', imageOf());
  assert.deepEqual(await outputOf('first', { image, ...shell('echo 1') }), ['1']);
  await away[Symbol.asyncDispose]();
  assert.deepEqual(await outputOf('second', { image, imagePullPolicy: 'IfNotPresent', ...shell('echo 2') }), ['2']);
  assert.deepEqual(await outputOf('third', { image, imagePullPolicy: 'Always', ...shell('echo 3') }), ['3']);
  await eventually('the event is there', async () =>
    (await node.events('third')).some((event) => /^Warning ImageNotRefreshed .*is not reached/.test(event)),
  );
  await checkRefused(
    'never',
    { image: `${registry.host}/none`, imagePullPolicy: 'Never' },
    'ErrImageNeverPull',
    /not present/,
  );
});

test('a private image takes a secret of the pod', { skip }, async () => {
  const image = registry.add('private', imageOf());
  registry.secrets.set('private', `Basic ${Buffer.from('me:secret').toString('base64')}`);
  const auths = { [registry.host]: { username: 'me', password: 'secret' } };
  const data = { '.dockerconfigjson': Buffer.from(JSON.stringify({ auths })).toString('base64') };
  const type = 'kubernetes.io/dockerconfigjson';
  await node.create('secrets', objectOf('Secret', 'pull', { type, data }));
  await checkRefused('stranger', { image, command: ['/bin/true'] }, 'ErrImagePull', /imagePullSecrets/);
  const spec = { imagePullSecrets: [{ name: 'pull' }] };
  assert.deepEqual(await outputOf('friend', { image, ...shell('echo in') }, spec), ['in']);
});

test('an image that would harm is refused, and nothing of it stays', { skip }, async () => {
  const trees = join(node.directory, 'runtime', 'images', 'trees');
  const before = readdirSync(trees);
  const image = nameIt({}, [
    { name: 'out', type: '2', target: '../../../../..' },
    { name: 'out/pwned', content: 'x' },
  ]);
  await checkRefused(
    'harm',
    { image },
    'ErrImagePull',
    /layer sha256:\w+ of the image is refused: "out" leads out of the image/,
  );
  await checkRefused(
    'device',
    { image: nameIt({}, [{ name: 'sda', type: '4' }]) },
    'ErrImagePull',
    /"sda" is a device/,
  );
  const lying = imageOf({}, [{ name: 'honest', content: 'yes' }]);
  const own = lying.layers.at(-1)?.digest ?? '';
  const lie = {
    ...lying,
    content: new Map(
      [...lying.content].map(([digest, bytes]) => [digest, digest === own ? Buffer.alloc(bytes.length) : bytes]),
    ),
  };
  await checkRefused('lie', { image: registry.add('lie', lie) }, 'ErrImagePull', /hashes to sha256/);
  assert.deepEqual(readdirSync(trees), before);
  assert.ok(!existsSync(join(node.directory, 'pwned')));
});

test('an image that only looks like a file system is refused', { skip }, async () => {
  const image = nameIt({}, [{ name: 'dev', type: '2', target: '/etc' }]);
  await checkRefused(
    'dev',
    { image, command: ['/bin/true'] },
    'CreateContainerConfigError',
    /\/dev of the image is no directory/,
  );
});

test('what the image lacks is said before the start', { skip }, async () => {
  const image = nameIt();
  await node.run('absent', { image, command: ['no-such'] }, { restartPolicy: 'Never' });
  const pod = await node.until('absent', isOver);
  assert.equal(
    pod.status?.containerStatuses?.[0]?.state?.terminated?.message,
    'exec: "no-such": executable file not found in $PATH',
  );
  await checkRefused(
    'user',
    { image: nameIt({ User: 'nobody-knows' }) },
    'CreateContainerConfigError',
    /unable to find user nobody-knows/,
  );
  const securityContext = { runAsNonRoot: true };
  await checkRefused('root-user', { image, securityContext }, 'CreateContainerConfigError', /image will run as root/);
  await checkRefused(
    'named',
    { image: nameIt({ User: 'web' }), securityContext },
    'CreateContainerConfigError',
    /non-numeric user \(web\)/,
  );
});

test('without bubblewrap, the pod says the command that brings it', { skip }, async () => {
  await using bare = await scratchNode({ withoutBubblewrap: true });
  await bare.run('bare', { image: nameIt() });
  const pod = await bare.until('bare', (one) => waiting(one)?.reason === 'ErrImagePull');
  assert.match(waiting(pod)?.message ?? '', /this node lacks bwrap; run, as root: apt-get install bubblewrap/);
});

test('nothing is left of pods that are gone', { skip }, async () => {
  for (const name of ['own', 'beside', 'root', 'volumes']) {
    await node.delete(name, 0);
    await node.gone(name);
  }
  const containers = join(node.directory, 'runtime', 'images', 'containers');
  mkdirSync(join(containers, 'of-nobody', 'upper'), { recursive: true });
  const kept = new Set((await node.runtime.list()).map(({ id }) => id));
  await node.runtime.sweep?.(() => true);
  assert.deepEqual(
    readdirSync(containers).filter((id) => !kept.has(id)),
    [],
  );
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter((line) => line.includes(containers));
  assert.ok(
    mounts.every((line) => [...kept].some((id) => line.includes(id))),
    mounts.join('\n'),
  );
});
