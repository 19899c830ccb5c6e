import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Container, Pod, PodSecurityContext, SecurityContext } from '../pod/types.ts';
import { RuntimeRefusal } from '../runtime.ts';
import { invocationOf } from './command.ts';
import { type Privileges, resolvePrivileges } from './privileges.ts';
import type { RootView } from './root-view.ts';
import { sandboxOptions } from './sandbox.ts';
import { FIRST_POD_UID, UidRange } from './uid-range.ts';

const ROOT = { uid: 0, gid: 0, groups: [] };
const USER = { uid: 1000, gid: 1000, groups: [27] };

interface Asked {
  readonly agent?: typeof ROOT | typeof USER;
  readonly pod?: PodSecurityContext;
  readonly own?: SecurityContext;
}

function resolve({ agent = ROOT, pod = {}, own = {} }: Asked): Privileges {
  const container: Container = { name: 'c', securityContext: own };
  const object: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {},
    spec: { containers: [container], securityContext: pod },
  };
  return resolvePrivileges(object, container, agent, 5000);
}

const check = (asked: Asked, expected: Partial<Privileges>) => {
  const resolved = resolve(asked);
  for (const [name, value] of Object.entries(expected))
    assert.deepEqual(resolved[name as keyof Privileges], value, name);
};
const checkRefused = (asked: Asked, reason: RegExp) =>
  assert.throws(
    () => resolve(asked),
    (error) => error instanceof RuntimeRefusal && reason.test(error.message),
  );

test('a pod that asks for nothing is nobody, and can gain nothing', () =>
  check({}, { uid: 5000, gid: 5000, groups: [], ambient: [], noNewPrivileges: true, readOnlyRoot: false }));
test('the container’s word counts before its pod’s', () =>
  check(
    { pod: { runAsUser: 1, runAsGroup: 2, fsGroup: 3, supplementalGroups: [4] }, own: { runAsUser: 7 } },
    { uid: 7, gid: 2, groups: [4, 3] },
  ));
test('privileged is root with everything', () =>
  check({ own: { privileged: true } }, { uid: 0, bounding: undefined, noNewPrivileges: false }));
test('root that is not privileged has what containers have', () => {
  const { bounding } = resolve({ own: { runAsUser: 0 } });
  assert.ok(bounding?.includes('chown'));
  assert.ok(!bounding?.includes('sys_admin'));
});
test('capabilities are dropped and added', () =>
  check(
    { own: { capabilities: { drop: ['ALL'], add: ['CAP_NET_ADMIN'] } } },
    { bounding: ['net_admin'], ambient: ['net_admin'] },
  ));
test('what cannot be honoured is refused', () => {
  checkRefused({ own: { capabilities: { add: ['MAGIC'] } } }, /unknown capability MAGIC/);
  checkRefused({ own: { runAsUser: 0, runAsNonRoot: true } }, /runAsNonRoot/);
  checkRefused({ pod: { sysctls: [{ name: 'kernel.shm_rmid_forced', value: '1' }] } }, /sysctls/);
  checkRefused({ own: { seccompProfile: { type: 'Localhost' } } }, /seccomp/);
});
test('without root there is one user', () => {
  check({ agent: USER }, { uid: 1000, gid: 1000, groups: [] });
  check({ agent: USER, pod: { runAsUser: 1000, fsGroup: 27 } }, { uid: 1000 });
  checkRefused({ agent: USER, own: { runAsUser: 1 } }, /runAsUser 1 needs an agent that runs as root/);
  checkRefused({ agent: USER, pod: { fsGroup: 5 } }, /group 5/);
  checkRefused({ agent: USER, own: { privileged: true } }, /privileged/);
  checkRefused({ agent: USER, own: { capabilities: { add: ['NET_RAW'] } } }, /NET_RAW/);
});

test('variables of the loader are set only after the privileges are gone', () => {
  const { argv, env, prefixLength } = invocationOf(
    ['prog', 'arg'],
    { A: '1', LD_PRELOAD: '/x.so', GLIBC_TUNABLES: 'y' },
    resolve({}),
    ROOT,
    {
      setpriv: '/bin/setpriv',
      env: '/bin/env',
    },
  );
  assert.deepEqual(env, { A: '1' });
  assert.deepEqual(argv.slice(argv.indexOf('--')), [
    '--',
    '/bin/env',
    'LD_PRELOAD=/x.so',
    'GLIBC_TUNABLES=y',
    'prog',
    'arg',
  ]);
  assert.deepEqual(argv.slice(prefixLength), ['prog', 'arg']);
});

/** A host with these paths; a value is where a link leads. */
function host(paths: Readonly<Record<string, string | true>>): RootView {
  const real = (path: string): string => {
    for (const [link, target] of Object.entries(paths)) {
      if (typeof target === 'string' && (path === link || path.startsWith(`${link}/`)))
        return target + path.slice(link.length);
    }
    return path;
  };
  return {
    kindOf: (path) =>
      path === '/' || real(path) in paths ? { isDirectory: !real(path).endsWith('.file'), mode: 0o755 } : undefined,
    realPath: real,
    entries: (directory) =>
      Object.entries(paths)
        .filter(([path]) => join(path, '..') === directory)
        .map(([path, target]) => ({
          name: path.slice(directory === '/' ? 1 : directory.length + 1),
          ...(target === true ? {} : { target }),
        })),
  };
}

const HOST = host({
  '/etc': true,
  '/etc/hosts.file': true,
  '/run': true,
  '/run/a': true,
  '/var': true,
  '/var/run': '/run',
  '/data': true,
});

function checkSandbox(mountPaths: readonly string[], expected: readonly string[], readOnlyRoot = false): void {
  const mounts = mountPaths.map((mountPath) => ({ hostPath: '/v', mountPath, readOnly: false }));
  const options = sandboxOptions({ mounts, readOnlyRoot, hidden: [], workingDirectory: '/' }, HOST);
  assert.deepEqual(options, [...expected, '--chdir', '/']);
}

test('a mount point that exists needs nothing but the bind', () =>
  checkSandbox(['/data'], ['--dev-bind', '/', '/', '--bind', '/v', '/data']));
test('a missing mount point makes its parent anew, with the host’s entries', () =>
  checkSandbox(
    ['/etc/app'],
    [
      '--dev-bind',
      '/',
      '/',
      '--perms',
      '0755',
      '--tmpfs',
      '/etc',
      '--dev-bind-try',
      '/etc/hosts.file',
      '/etc/hosts.file',
      '--bind',
      '/v',
      '/etc/app',
    ],
  ));
test('links of the host are followed first, and what lies between is open to all', () =>
  checkSandbox(
    ['/var/run/secrets/token'],
    [
      '--dev-bind',
      '/',
      '/',
      '--perms',
      '0755',
      '--tmpfs',
      '/run',
      '--dev-bind-try',
      '/run/a',
      '/run/a',
      '--perms',
      '0755',
      '--dir',
      '/run/secrets',
      '--bind',
      '/v',
      '/run/secrets/token',
    ],
  ));
test('outer mounts come before inner ones', () =>
  checkSandbox(
    ['/data/inner', '/data'],
    ['--dev-bind', '/', '/', '--bind', '/v', '/data', '--bind', '/v', '/data/inner'],
  ));
test('what is hidden may be missing', () => {
  const hidden = ['/data/replica.db-wal'];
  const options = sandboxOptions({ mounts: [], readOnlyRoot: false, hidden, workingDirectory: '/' }, HOST);
  assert.deepEqual(options, ['--dev-bind', '/', '/', '--chdir', '/']);
});
test('nothing is mounted at, above or below what runs before privileges are dropped, links or not', () => {
  const view = host({
    '/usr': true,
    '/usr/bin': true,
    '/bin': '/usr/bin',
    '/usr/bin/setpriv.file': true,
    '/etc': true,
  });
  const mount = (mountPath: string) =>
    sandboxOptions(
      {
        mounts: [{ hostPath: '/v', mountPath, readOnly: false }],
        readOnlyRoot: false,
        hidden: [],
        reserved: ['/bin', '/etc/ld.so.preload'],
        workingDirectory: '/',
      },
      view,
    );
  const covering = [
    '/usr',
    '/usr/bin/',
    '/bin',
    '/bin/setpriv.file',
    '/usr/bin/new',
    '/etc',
    '/etc/x/../ld.so.preload',
  ];
  for (const path of covering) assert.throws(() => mount(path), /a volume cannot be mounted at/, path);
  for (const path of ['/usr/binary', '/etc/app']) assert.ok(mount(path).includes(path));
});
test('nothing is mounted over the root', () =>
  assert.throws(() => checkSandbox(['/etc/..'], []), /cannot be mounted at \//));

test('a pod keeps its uid over restarts, and a freed one rests', () => {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-uids-'));
  try {
    const file = join(directory, 'uids.json');
    const first = new UidRange(file);
    assert.deepEqual(
      [first.take('a'), first.take('b'), first.take('a')],
      [FIRST_POD_UID, FIRST_POD_UID + 1, FIRST_POD_UID],
    );
    first.release('b');
    const second = new UidRange(file);
    assert.equal(second.take('a'), FIRST_POD_UID);
    assert.notEqual(second.take('c'), FIRST_POD_UID);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

function checkDamaged(text: string): void {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-uids-'));
  try {
    const file = join(directory, 'uids.json');
    writeFileSync(file, text);
    const uid = new UidRange(file).take('a');
    assert.ok(uid >= FIRST_POD_UID + 32_768, 'far from what the lost table gave out');
    assert.equal(new UidRange(file).take('a'), uid);
    assert.equal(readFileSync(`${file}.damaged`, 'utf8'), text);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('a damaged table of uids is set aside, and the agent starts', () => {
  checkDamaged('');
  checkDamaged('{"a":1');
  checkDamaged('null');
  checkDamaged('{"a":"1"}');
});
