import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ConfigObject } from '../pod/environment.ts';
import type { Pod, Volume, VolumeMount } from '../pod/types.ts';
import { volumePath, writeDirectory } from './atomic-directory.ts';
import { giveToGroup } from './file-group.ts';
import { openHostPath } from './host-path.ts';
import { PodVolumes } from './pod-volumes.ts';

const FACTS = { podIPs: ['10.0.0.1'], hostIPs: ['10.0.0.1'], allocatable: {} };

interface World {
  readonly directory: string;
  readonly configs: Map<string, Partial<ConfigObject>>;
  readonly clock: { now: number };
  readonly tokens: string[];
  readonly volumes: PodVolumes;
  readonly setUp: (...volumes: Volume[]) => Promise<void>;
  readonly read: (path: string) => string;
}

async function check(story: (world: World) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-volumes-'));
  const configs: World['configs'] = new Map();
  const clock = { now: 0 };
  const tokens: string[] = [];
  const volumes = new PodVolumes({
    directory,
    read: async (kind, name) => configs.get(`${kind}/${name}`) as ConfigObject | undefined,
    requestToken: async ({ serviceAccount, audiences, expirationSeconds }) => {
      tokens.push(`${serviceAccount}/${audiences.join()}`);
      return { token: `t${tokens.length}`, expiresAt: clock.now + expirationSeconds * 1000 };
    },
    now: () => clock.now,
    owner: () => undefined,
  });
  const setUp = (...all: Volume[]) => volumes.setUp(podWith(all), FACTS);
  try {
    await story({
      directory,
      configs,
      clock,
      tokens,
      volumes,
      setUp,
      read: (path) => readFileSync(join(directory, 'volumes', path), 'utf8'),
    });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const podWith = (volumes: Volume[]): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'ns', uid: 'uid-1', labels: { a: 'b' } },
  spec: { containers: [], volumes, serviceAccountName: 'sa' },
});

test('a directory changes at one instant, through one link', () =>
  check(async ({ directory }) => {
    const at = join(directory, 'v');
    const file = (text: string) => ({ data: Buffer.from(text), mode: 0o640 });
    await writeDirectory(
      at,
      new Map([
        ['a', file('1')],
        ['sub/b', file('2')],
      ]),
    );
    const before = readlinkSync(join(at, '..data'));
    assert.equal(readlinkSync(join(at, 'a')), '..data/a');
    assert.equal(statSync(join(at, 'a')).mode & 0o777, 0o640);
    assert.equal(
      await writeDirectory(
        at,
        new Map([
          ['a', file('1')],
          ['sub/b', file('2')],
        ]),
      ),
      false,
    );
    assert.equal(readlinkSync(join(at, '..data')), before, 'nothing changed, nothing written');
    assert.equal(
      await writeDirectory(
        at,
        new Map([
          ['a', file('3')],
          ['c', file('4')],
        ]),
      ),
      true,
    );
    assert.deepEqual(
      readdirSync(at)
        .filter((name) => !name.startsWith('..'))
        .sort(),
      ['a', 'c'],
    );
    assert.equal(readFileSync(join(at, 'a'), 'utf8'), '3');
    assert.equal(readdirSync(at).filter((name) => name.startsWith('..')).length, 2, 'the old version is gone');
  }));

test('no path leaves the volume', () => {
  for (const path of ['../x', '/etc/passwd', 'a/../../b', '..data', '..', '.', ''])
    assert.equal(volumePath(path), undefined, path);
  assert.equal(volumePath('a/./b'), 'a/b');
});

test('ConfigMaps and Secrets become files, with modes, and follow changes', () =>
  check(async ({ configs, setUp, read, directory }) => {
    configs.set('ConfigMap/c', { data: { key: 'text' }, binaryData: { bin: 'AAE=' } });
    configs.set('Secret/s', { data: { key: Buffer.from('secret').toString('base64') } });
    const volumes: Volume[] = [
      { name: 'c', configMap: { name: 'c' } },
      { name: 's', secret: { secretName: 's', defaultMode: 0o400, items: [{ key: 'key', path: 'deep/er' }] } },
    ];
    await setUp(...volumes);
    assert.equal(read('c/key'), 'text');
    assert.equal(read('c/bin'), '\0\u0001');
    assert.equal(read('s/deep/er'), 'secret');
    assert.equal(statSync(join(directory, 'volumes/s/deep/er')).mode & 0o777, 0o400);
    configs.set('ConfigMap/c', { data: { other: 'new' } });
    await setUp(...volumes);
    assert.equal(read('c/other'), 'new');
    assert.throws(() => read('c/key'), { code: 'ENOENT' });
  }));

test('what is missing is named, unless it is optional', () =>
  check(async ({ configs, setUp }) => {
    await assert.rejects(setUp({ name: 'v', configMap: { name: 'no' } }), {
      message: 'MountVolume.SetUp failed for volume "v" : configmap "no" not found',
    });
    await setUp({ name: 'v', configMap: { name: 'no', optional: true } });
    configs.set('Secret/s', { data: {} });
    await assert.rejects(
      setUp({ name: 'v', secret: { secretName: 's', items: [{ key: 'k', path: 'k' }] } }),
      /non-existent secret key: ns\/s\/k/,
    );
    await assert.rejects(setUp({ name: 'v', nfs: {} }), /volume type nfs is not supported/);
    await assert.rejects(setUp({ name: 'v', configMap: { name: 'no', items: [], optional: false } }), /not found/);
  }));

test('a hostile item path does not leave the volume', () =>
  check(async ({ configs, setUp }) => {
    configs.set('ConfigMap/c', { data: { k: 'x' } });
    await assert.rejects(
      setUp({ name: 'v', configMap: { name: 'c', items: [{ key: 'k', path: '../../evil' }] } }),
      /leaves the volume/,
    );
  }));

test('a token is asked for once, and again at four fifths of its life', () =>
  check(async ({ clock, tokens, setUp, read, volumes }) => {
    const volume: Volume = {
      name: 't',
      projected: { sources: [{ serviceAccountToken: { path: 'token', expirationSeconds: 1000 } }] },
    };
    await setUp(volume);
    await setUp(volume);
    assert.deepEqual(tokens, ['sa/']);
    assert.equal(volumes.renewAt, 800_000);
    clock.now = 800_000;
    await setUp(volume);
    assert.equal(read('t/token'), 't2');
  }));

test('a pod may read about itself', () =>
  check(async ({ setUp, read }) => {
    await setUp({
      name: 'd',
      downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] },
    });
    assert.equal(read('d/labels'), 'a="b"');
  }));

async function subPath(world: World, mount: Partial<VolumeMount>): Promise<string> {
  const volumeMounts = [{ name: 'e', mountPath: '/m', ...mount }];
  const [ready] = await world.volumes.mountsOf({ name: 'c', volumeMounts }, { POD: 'p' });
  return ready?.hostPath.slice(world.directory.length) ?? '';
}

test('subPath stays in the volume, also through links', () =>
  check(async (world) => {
    await world.setUp({ name: 'e', emptyDir: {} });
    const volume = join(world.directory, 'volumes/e');
    assert.equal(await subPath(world, { subPath: 'a/b' }), '/volumes/e/a/b');
    assert.equal(await subPath(world, { subPathExpr: '$(POD)' }), '/volumes/e/p');
    symlinkSync('/etc', join(volume, 'out'));
    symlinkSync('a', join(volume, 'in'));
    assert.equal(await subPath(world, { subPath: 'in' }), '/volumes/e/a');
    await assert.rejects(subPath(world, { subPath: 'out' }), /leads out of the volume/);
    await assert.rejects(subPath(world, { subPath: '../x' }), /leaves the volume/);
  }));

test('an emptyDir outlives the agent and ends with the pod', () =>
  check(async ({ setUp, volumes, directory }) => {
    const all: Volume[] = [{ name: 'e', emptyDir: {} }];
    await setUp(...all);
    writeFileSync(join(directory, 'volumes/e/kept'), '');
    await setUp(...all);
    assert.deepEqual(readdirSync(join(directory, 'volumes/e')), ['kept']);
    await volumes.tearDown('uid-1');
    assert.deepEqual(readdirSync(directory), []);
  }));

test('hostPath types are checked or made', () =>
  check(async ({ directory }) => {
    const at = (name: string) => join(directory, name);
    mkdirSync(at('dir'));
    writeFileSync(at('file'), '');
    assert.equal(openHostPath({ path: at('dir'), type: 'Directory' }), at('dir'));
    assert.throws(() => openHostPath({ path: at('file'), type: 'Directory' }), /is not a directory/);
    assert.throws(() => openHostPath({ path: at('none'), type: 'File' }), /is not a file/);
    assert.throws(() => openHostPath({ path: at('file'), type: 'Socket' }), /is not a socket file/);
    assert.equal(openHostPath({ path: at('made'), type: 'DirectoryOrCreate' }), at('made'));
    assert.throws(() => openHostPath({ path: `${directory}/../x` }), /must be absolute/);
  }));

test('a claim is the directory of the volume that it is bound to', () =>
  check(async ({ directory, configs, setUp, volumes }) => {
    const data = { name: 'data', persistentVolumeClaim: { claimName: 'c' } };
    const mounts = () =>
      volumes.mountsOf({ name: 'main', image: 'host', volumeMounts: [{ name: 'data', mountPath: '/data' }] }, {});
    const refused = (why: RegExp) => assert.rejects(setUp(data), why);
    await refused(/persistentvolumeclaim "c" not found/);
    const claim = { metadata: { uid: 'u' }, spec: { volumeName: 'v' }, status: { phase: 'Pending' } };
    configs.set('PersistentVolumeClaim/c', claim);
    await refused(/is not bound/);
    configs.set('PersistentVolumeClaim/c', { ...claim, status: { phase: 'Bound' } });
    await refused(/persistentvolume "v" not found/);
    const path = join(directory, 'kept');
    configs.set('PersistentVolume/v', { metadata: {}, spec: { claimRef: { uid: 'other' }, hostPath: { path } } });
    await refused(/bound to another claim/);
    configs.set('PersistentVolume/v', { metadata: {}, spec: { claimRef: { uid: 'u' }, local: { path } } });
    await refused(/is not a directory/);
    configs.set('PersistentVolume/v', {
      metadata: {},
      spec: { claimRef: { uid: 'u' }, hostPath: { path, type: 'DirectoryOrCreate' } },
    });
    await setUp(data);
    assert.equal(statSync(path).mode & 0o777, 0o755);
    assert.deepEqual(await mounts(), [{ hostPath: path, mountPath: '/data', readOnly: false }]);
    await setUp({ ...data, persistentVolumeClaim: { claimName: 'c', readOnly: true } });
    assert.equal((await mounts())[0]?.readOnly, true);
    const made = join(directory, 'made', 'pvc-u');
    const annotations = { 'pv.kubernetes.io/provisioned-by': 'skerry.io/local-path' };
    const spec = { claimRef: { uid: 'u' }, hostPath: { path: made, type: 'DirectoryOrCreate' } };
    configs.set('PersistentVolume/v', { metadata: { annotations }, spec });
    await setUp(data);
    assert.equal(statSync(made).mode & 0o777, 0o777);
    await volumes.tearDown('uid-1');
    assert.ok(existsSync(made));
  }));

test('a file of a volume that is mounted alone stays as it was when the volume changes', () =>
  check(async ({ configs, volumes, setUp, read }) => {
    configs.set('ConfigMap/c', { data: { key: 'old' } });
    const volume = { name: 'v', configMap: { name: 'c' } };
    await setUp(volume);
    const container = { name: 'c', volumeMounts: [{ name: 'v', mountPath: '/x', subPath: 'key' }] };
    const [mount] = await volumes.mountsOf(container, {});
    configs.set('ConfigMap/c', { data: { key: 'new' } });
    await setUp(volume);
    assert.equal(readFileSync(mount?.hostPath ?? '', 'utf8'), 'old');
    assert.equal(read('v/key'), 'new');
    const [again] = await volumes.mountsOf(container, {});
    assert.equal(readFileSync(again?.hostPath ?? '', 'utf8'), 'new');
  }));

test('a variable’s file is read from the volume it is in, and from nowhere else', () =>
  check(async ({ directory, volumes, setUp }) => {
    await setUp({ name: 'e', emptyDir: {} });
    const folder = join(directory, 'volumes', 'e');
    writeFileSync(join(folder, 'config.env'), 'A=1');
    symlinkSync('/etc/hostname', join(folder, 'out'));
    assert.equal(await volumes.readFile('e', 'config.env'), 'A=1');
    for (const path of ['out', '../e/config.env', '/etc/hostname', 'missing', '.'])
      assert.equal(await volumes.readFile('e', path), undefined, path);
    assert.equal(await volumes.readFile('no', 'config.env'), undefined);
  }));

const isRoot = process.getuid?.() === 0 ? false : 'files are given away by root alone';

/** `uid:gid mode` of a path, links not followed. */
function shown(path: string): string {
  const { gid, mode } = lstatSync(path);
  return `${gid} ${(mode & 0o7777).toString(8)}`;
}

test('a volume is given to the group of the pod, whole, and never what its links lead to', {
  skip: isRoot,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-group-'));
  const root = join(directory, 'volume');
  const outside = join(directory, 'outside');
  mkdirSync(join(root, 'deep'), { recursive: true });
  mkdirSync(outside);
  writeFileSync(join(root, 'deep', 'file'), '', { mode: 0o600 });
  writeFileSync(join(outside, 'file'), '', { mode: 0o600 });
  symlinkSync(outside, join(root, 'link'));
  await giveToGroup(root, 1234);
  assert.deepEqual(
    ['', 'deep', 'deep/file'].map((path) => shown(join(root, path))),
    ['1234 2775', '1234 2775', '1234 660'],
  );
  assert.equal(lstatSync(join(root, 'link')).gid, 1234);
  assert.deepEqual([shown(outside), shown(join(outside, 'file'))], ['0 755', '0 600']);
  rmSync(directory, { recursive: true });
});

test('with OnRootMismatch nothing is looked at below a root that is as it should be', { skip: isRoot }, async () => {
  const root = mkdtempSync(join(tmpdir(), 'skerry-group-'));
  await giveToGroup(root, 1234);
  writeFileSync(join(root, 'late'), '', { mode: 0o600 });
  chownSync(join(root, 'late'), 0, 0);
  await giveToGroup(root, 1234, 'OnRootMismatch');
  assert.equal(shown(join(root, 'late')), '0 600');
  await giveToGroup(root, 1234, 'Always');
  assert.equal(shown(join(root, 'late')), '1234 660');
  chmodSync(root, 0o700);
  chownSync(join(root, 'late'), 0, 0);
  await giveToGroup(root, 1234, 'OnRootMismatch');
  assert.deepEqual([shown(root), shown(join(root, 'late'))], ['1234 2770', '1234 660']);
  rmSync(root, { recursive: true });
});
