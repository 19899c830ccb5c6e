import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { silentLogger, systemClock } from '@skerry/base';
import fc from 'fast-check';
import { openImageStore, parseReference } from '../../../images/index.ts';
import { memoryImage, memorySource } from '../../../images/testing/memory-images.ts';
import { type ReadyMount, RuntimeRefusal } from '../../runtime.ts';
import { splitEnvironment } from '../command.ts';
import { accountOf } from './accounts.ts';
import { ImageCollection } from './image-collection.ts';
import { imageSandboxOptions } from './image-sandbox.ts';
import { adviceForNamespaces } from './room.ts';
import { readInRoot, resolveInRoot } from './rooted.ts';
import { WritableRoots } from './writable-roots.ts';

const PASSWD =
  'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001::/srv:/bin/sh\nbroken\n7:x:70:71::/seven:\nbig:x:4294967295:1::/:\n';
const GROUP = 'root:x:0:\nweb:x:1001:web\nextra:x:1002:web,root\nbad:x:z:web\n';

/** A directory with these files; a target after `->` makes a link, a slash at the end a directory. */
function treeOf(entries: Readonly<Record<string, string>>): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'skerry-tree-'));
  for (const [name, content] of Object.entries(entries)) {
    const at = join(path, name);
    mkdirSync(name.endsWith('/') ? at : dirname(at), { recursive: true });
    if (content.startsWith('-> ')) symlinkSync(content.slice(3), at);
    else if (!name.endsWith('/')) writeFileSync(at, content);
  }
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

const checkAccount = (user: string, expected: readonly [number, number, readonly number[], string] | undefined) => {
  const found = accountOf(user, PASSWD, GROUP);
  assert.deepEqual(found && [found.uid, found.gid, found.groups, found.home], expected, user);
};

test('an image’s user is a number, or a name that the image knows', () => {
  checkAccount('', [0, 0, [1002], '/root']);
  checkAccount('web', [1000, 1001, [1002], '/srv']);
  checkAccount('1000', [1000, 1001, [1002], '/srv']);
  checkAccount('5', [5, 0, [], '/']);
  checkAccount('web:extra', [1000, 1002, [], '/srv']);
  checkAccount('5:6', [5, 6, [], '/']);
  checkAccount('7', [70, 71, [], '/seven']);
  for (const stranger of ['nobody', 'web:nobody', 'big', '4294967295', '-1', '99999999999'])
    checkAccount(stranger, undefined);
});

const checkResolved = (path: string, expected: string | undefined, missing = 0) => {
  using tree = treeOf({
    'usr/lib/file': 'x',
    lib: '-> usr/lib',
    absolute: '-> /usr/lib',
    out: '-> ../../../etc',
    circle: '-> circle',
    'deep/up': '-> ../lib/file',
    etc: '-> /nowhere',
  });
  const found = resolveInRoot(tree.path, path);
  assert.equal(found?.path, expected, path);
  if (found !== undefined) assert.equal(found.missing, missing, path);
};

test('links are followed as somebody inside would', () => {
  checkResolved('/lib/file', '/usr/lib/file');
  checkResolved('/absolute/file', '/usr/lib/file');
  checkResolved('/deep/up', '/usr/lib/file');
  checkResolved('/../../usr', '/usr');
  checkResolved('/out/passwd', '/nowhere/passwd', 2);
  checkResolved('/new/dir', '/new/dir', 2);
  checkResolved('/usr/lib/file/x', undefined);
  checkResolved('/circle', undefined);
});
test('a file of the image is read inside of it only, and not beyond the limit', () => {
  using tree = treeOf({ 'etc/passwd': '-> /etc/shadow', 'etc/group': 'x'.repeat(100), 'etc/dir/': '' });
  assert.equal(readInRoot(tree.path, '/etc/passwd', 1000), '');
  assert.equal(readInRoot(tree.path, '/etc/group', 10), 'x'.repeat(10));
  assert.equal(readInRoot(tree.path, '/etc/dir', 10), '');
});

const SANDBOX = {
  root: '/roots/1',
  mounts: [],
  readOnlyRoot: false,
  workingDirectory: '/',
  hostname: 'web',
  sharesPids: false,
  sharesIpc: false,
  isPrivileged: false,
  capabilities: ['chown'],
  tools: ['--tools'],
};
const optionsOf = (tree: string, more: Partial<Parameters<typeof imageSandboxOptions>[0]> = {}) =>
  imageSandboxOptions({ ...SANDBOX, tree, ...more }).join(' ');
const mountAt = (mountPath: string, hostPath = '/host'): ReadyMount => ({ hostPath, mountPath, readOnly: false });

test('a container has namespaces, devices and processes of its own, and only the capabilities it is given', () => {
  using tree = treeOf({});
  const options = optionsOf(tree.path);
  assert.match(
    options,
    /^--unshare-pid --as-pid-1 --unshare-ipc --unshare-uts --hostname web .*--bind \/roots\/1 \/ --dev \/dev/,
  );
  assert.match(
    options,
    /--ro-bind-try \/proc\/sys \/proc\/sys .*--ro-bind \/sys \/sys --tools --chdir \/ --cap-drop ALL --cap-add cap_chown$/,
  );
});
test('what is shared with the node is shared only when asked for', () => {
  using tree = treeOf({});
  const options = optionsOf(tree.path, { sharesPids: true, sharesIpc: true, isPrivileged: true });
  assert.doesNotMatch(options, /unshare-pid|unshare-ipc|\/proc\/sys/);
  assert.match(options, /--dev-bind \/dev \/dev .*--dev-bind \/sys \/sys/);
});
test('anybody but root is the user of the container by a user namespace', () => {
  using tree = treeOf({});
  assert.match(
    optionsOf(tree.path, { asUser: { uid: 7, gid: 8 } }),
    /--unshare-user --uid 7 --gid 8 .*--tmpfs \/dev --dev-bind \/dev\/null/,
  );
  assert.doesNotMatch(optionsOf(tree.path, { asUser: { uid: 0, gid: 0 } }), /unshare-user/);
});
test('mounts are where links of the image lead, outer ones first, and missing directories are open to all', () => {
  using tree = treeOf({ 'data/real/': '', link: '-> /data/real', 'var/run': '-> ../run' });
  const mounts = [mountAt('/link/a/b', '/inner'), mountAt('/link', '/tmp'), mountAt('/var/run/x'), mountAt('/dev/shm')];
  const options = optionsOf(tree.path, { mounts });
  assert.match(options, /--perms 0755 --dir \/run --bind \/host \/run\/x /);
  assert.match(options, /--bind \/host \/dev\/shm /);
  assert.match(options, /--bind \/tmp \/data\/real .*--bind \/inner \/data\/real\/a\/b /);
});
test('the programs that drop privileges lie above every mount, and no mount is where they or the kernel’s files are', () => {
  using tree = treeOf({ link: '-> /dev/.skerry', deep: '-> /dev' });
  assert.match(
    optionsOf(tree.path, { mounts: [mountAt('/data'), mountAt('/dev/shm')] }),
    /--bind \/host \/dev\/shm --tools/,
  );
  const reserved = ['/dev', '/dev/', '/proc', '/sys', '/dev/.skerry', '/dev/x/../.skerry', '/dev/.skerry/setpriv'];
  for (const path of [...reserved, '/proc/sys/kernel/cap_last_cap', '/link', '/deep', '/deep/.skerry/env']) {
    assert.throws(() => optionsOf(tree.path, { mounts: [mountAt(path)] }), /a volume cannot be mounted at/, path);
  }
});
test('a mount within a volume follows the links of the volume, and none out of it', () => {
  using tree = treeOf({});
  using volume = treeOf({ out: '-> /etc', 'real/': '', in: '-> real' });
  const mounts = (inner: string) => [mountAt('/data', volume.path), mountAt(`/data/${inner}`, '/inner')];
  assert.match(optionsOf(tree.path, { mounts: mounts('out/x') }), /--bind \/inner \/data\/etc\/x /);
  assert.match(optionsOf(tree.path, { mounts: mounts('in/x') }), /--bind \/inner \/data\/real\/x /);
});
test('a root that is read-only is so after everything is mounted', () => {
  using tree = treeOf({});
  assert.match(
    optionsOf(tree.path, { readOnlyRoot: true, mounts: [mountAt('/d')] }),
    /--bind \/host \/d --tools --remount-ro \/ --chdir/,
  );
});
test('an image cannot have its devices, processes or mounts put elsewhere', () => {
  for (const place of ['dev', 'proc', 'sys']) {
    using tree = treeOf({ [place]: '-> /etc' });
    assert.throws(() => optionsOf(tree.path), RuntimeRefusal);
  }
  using tree = treeOf({ file: 'x' });
  assert.throws(() => optionsOf(tree.path, { mounts: [mountAt('/file/x')] }), /leads through a file/);
  assert.throws(() => optionsOf(tree.path, { mounts: [mountAt('/')] }), /cannot be mounted at/);
});
test('wherever a mount is wanted, it is within the root and reached by no link', () => {
  using tree = treeOf({ a: '-> ../..', 'b/c': '-> /a/b', d: '-> b/c/../../d2', 'd2/': '', e: 'x' });
  const path = fc.array(fc.constantFrom('a', 'b', 'c', 'd', 'd2', 'e', '..', 'new', 'dev'), {
    minLength: 1,
    maxLength: 5,
  });
  fc.assert(
    fc.property(path, (steps) => {
      try {
        const [, place = ''] =
          /--bind \/host (\S+)/.exec(optionsOf(tree.path, { mounts: [mountAt(`/${steps.join('/')}`)] })) ?? [];
        assert.equal(resolveInRoot(tree.path, place)?.path, place);
        assert.doesNotMatch(place, /(^|\/)\.\.(\/|$)/);
      } catch (error) {
        assert.ok(error instanceof RuntimeRefusal, String(error));
      }
    }),
  );
});

test('what shells and loaders obey is set only for the command itself', () => {
  const names = ['LD_PRELOAD', 'BASH_ENV', 'BASH_FUNC_mount%%', 'SHELLOPTS', 'PS4', 'ENV', 'IFS', 'LIBMOUNT_FSTAB'];
  const { early, late } = splitEnvironment(Object.fromEntries([...names, 'HOME', 'PSX'].map((name) => [name, 'x'])));
  assert.deepEqual(Object.keys(early), ['HOME', 'PSX']);
  assert.deepEqual(
    late,
    names.map((name) => `${name}=x`),
  );
});

test('who may make no namespaces is told the one command', () => {
  const adviceWhen = (file: string, value: string) => adviceForNamespaces((asked) => (asked === file ? value : ''));
  assert.match(
    adviceWhen('/proc/sys/kernel/unprivileged_userns_clone', '0'),
    /sysctl -w kernel.unprivileged_userns_clone=1/,
  );
  assert.match(
    adviceWhen('/proc/sys/kernel/apparmor_restrict_unprivileged_userns', '1'),
    /apparmor_restrict_unprivileged_userns=0/,
  );
  assert.match(adviceWhen('', ''), /as root/);
});

test('without overlayfs each container gets a copy, and the image stays as it is', async () => {
  using tree = treeOf({ 'etc/file': 'x', link: '-> etc/file' });
  using place = treeOf({});
  const tools = { sh: '/bin/sh', mount: '/bin/false', cp: '/bin/cp', rm: '/bin/rm' };
  const roots = new WritableRoots({
    directory: place.path,
    room: ['/usr/bin/env', '--'],
    tools,
    isUser: false,
    log: silentLogger,
  });
  const { path, enter } = await roots.make('one', tree.path);
  assert.deepEqual(enter, ['/usr/bin/env', '--']);
  writeFileSync(join(path, 'etc/file'), 'changed');
  assert.equal(readFileSync(join(tree.path, 'etc/file'), 'utf8'), 'x');
  assert.deepEqual(readdirSync(path).sort(), ['etc', 'link']);
  await roots.make('two', tree.path);
  await roots.sweep((id) => id === 'two');
  assert.deepEqual(readdirSync(place.path), ['two']);
});

test('images that no container uses go when they are asked to, once they have rested', async () => {
  using place = treeOf({});
  let now = systemClock.now();
  const clock = { ...systemClock, now: () => now };
  const store = await openImageStore(place.path, { clock, log: silentLogger });
  const digests: string[] = [];
  for (const name of ['used', 'idle']) {
    const image = memoryImage([Buffer.from(name)]);
    await store.pull(memorySource(image), parseReference(`r.example/${name}:1`));
    digests.push(`r.example/${name}@${image.target.digest}`);
  }
  const collection = new ImageCollection({ store, directory: place.path, now: () => now });
  const used = new Set(digests.slice(0, 1));
  await collection.reclaim(used);
  assert.equal(store.list().length, 2, 'one may have come for a pod just now');
  for (const { digest } of await store.blobs.list()) utimesSync(store.blobs.path(digest), 1, 1);
  now += 200_000;
  await collection.reclaim(used);
  assert.deepEqual(
    store.list().map(({ names }) => names[0]),
    ['r.example/used:1'],
  );
  assert.equal((await store.blobs.list()).length, 3, 'its blobs are gone as well');
});
