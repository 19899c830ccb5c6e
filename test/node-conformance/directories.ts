/** Directories in pods: emptyDir, hostPath, and parts of volumes. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { eventually } from '@skerry/testkit/processes';
import { isReady, type Lab, mounted, type Requirement, waitingFor } from './lab.ts';

const SUB_PATHS: readonly Requirement[] = [
  {
    states: 'one file of a ConfigMap can be mounted over a file, and stays as it was',
    check: async (lab) => {
      await lab.configMap('o', { key: 'value' });
      const script = 'cat /v/file; echo; until [ -e /tmp/go ]; do sleep 0.1; done; cat /v/file';
      const plan = mounted({ configMap: { name: 'o' } }, { script }, { mountPath: '/v/file', subPath: 'key' });
      await lab.start(plan);
      await lab.change('ConfigMap', 'o', { data: { key: 'new' } });
      const { stdout, stderr, status } = await lab.exec('sleep 0.5; cat /v/file');
      assert.equal(stdout, 'value', `${stderr}${status.message}`);
    },
  },
  {
    states: 'a subPath that is not there is made, as open as its volume',
    check: async (lab) => {
      const spec = { securityContext: { runAsUser: 1000 } };
      const plan = mounted({ emptyDir: {} }, { script: 'touch /v/x && echo ok', spec }, { subPath: 'a/b' });
      await lab.says(plan, ['ok']);
    },
  },
  {
    states: 'containers meet in a subPath, one of them only reading',
    check: async (lab) => {
      const volumeMounts = [{ name: 'v', mountPath: '/v', subPath: 'sub' }];
      const init = lab.container('echo hello > /v/file', { name: 'writer', volumeMounts });
      const plan = mounted(
        { emptyDir: {} },
        { script: 'cat /v/file; touch /v/x 2>/dev/null || echo no' },
        { subPath: 'sub', readOnly: true },
      );
      await lab.says({ ...plan, spec: { ...plan.spec, initContainers: [init] } }, ['hello', 'no']);
    },
  },
  {
    states: 'a subPath that a link leads out of the volume holds the container back',
    check: async (lab) => {
      const volumeMounts = [{ name: 'v', mountPath: '/v' }];
      const init = lab.container('ln -s /etc /v/out', { name: 'writer', volumeMounts });
      const plan = mounted({ emptyDir: {} }, {}, { subPath: 'out' });
      await lab.create({ ...plan, spec: { ...plan.spec, initContainers: [init] } });
      await lab.until('it is refused', (pod) => waitingFor(pod) === 'CreateContainerConfigError');
    },
  },
  {
    states: 'subPathExpr is expanded from the environment, also by names of the pod',
    check: async (lab) => {
      const env = [{ name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }];
      const spec = { volumes: [{ name: 'v', emptyDir: {} }] };
      const volumeMounts = [
        { name: 'v', mountPath: '/all' },
        { name: 'v', mountPath: '/v', subPathExpr: 'of/$(NAME)' },
      ];
      await lab.says({ script: 'touch /v/x; ls /all/of/pod', spec, container: { env, volumeMounts } }, ['x']);
    },
  },
  ...(
    [
      ['..', 'leaves the volume'],
      ['/tmp', 'is absolute'],
    ] as const
  ).map(
    ([value, words]): Requirement => ({
      states: `subPathExpr that ${words} once it is expanded is refused`,
      check: async (lab) => {
        const env = [{ name: 'NAME', value }];
        await lab.create(mounted({ emptyDir: {} }, { container: { env } }, { subPathExpr: '$(NAME)' }));
        await lab.until('it is refused', (pod) => waitingFor(pod) === 'CreateContainerConfigError');
      },
    }),
  ),
  {
    states: 'subPathExpr with a name that nobody knows is refused',
    check: async (lab) => {
      await lab.create(mounted({ emptyDir: {} }, {}, { subPathExpr: '$(NOBODY)' }));
      await lab.until('it is refused', (pod) => waitingFor(pod) === 'CreateContainerConfigError');
    },
  },
  {
    states: 'a refused subPathExpr is tried again when the pod changes',
    check: async (lab) => {
      const env = [{ name: 'NAME', valueFrom: { fieldRef: { fieldPath: "metadata.annotations['path']" } } }];
      const metadata = { annotations: { path: '/bad' } };
      await lab.create(mounted({ emptyDir: {} }, { metadata, container: { env } }, { subPathExpr: '$(NAME)' }));
      await lab.until('it is refused', (pod) => waitingFor(pod) === 'CreateContainerConfigError');
      await lab.patch({ metadata: { annotations: { path: 'good' } } });
      await lab.until('it is ready', isReady);
    },
  },
];

const EMPTY_DIRS: readonly Requirement[] = (['', 'Memory'] as const).flatMap((medium) => {
  const where = medium === '' ? 'an emptyDir' : 'an emptyDir in memory';
  const source = { emptyDir: medium === '' ? {} : { medium } };
  return [
    {
      states: `${where} is open to all`,
      check: async (lab: Lab) => {
        const script = `stat -c %A /v; ${medium === '' ? 'true' : 'stat -f -c %T /v'}`;
        await lab.says(mounted(source, { script }), ['drwxrwxrwx', ...(medium === '' ? [] : ['tmpfs'])]);
      },
    },
    ...[0, 1001].map((runAsUser) => ({
      states: `in ${where} user ${runAsUser} makes files of any mode`,
      check: async (lab: Lab) => {
        const script = 'cd /v; for m in 0644 0666 0777; do echo x > $m; chmod $m $m; stat -c "%A %u" $m; cat $m; done';
        const spec = { securityContext: { runAsUser } };
        const lines = ['-rw-r--r--', '-rw-rw-rw-', '-rwxrwxrwx'].flatMap((mode) => [`${mode} ${runAsUser}`, 'x']);
        await lab.says(mounted(source, { script, spec }), lines);
      },
    })),
    {
      states: `new files in ${where} belong to the pod’s group`,
      check: async (lab: Lab) => {
        const script = 'stat -c "%A %g" /v; touch /v/x; stat -c "%u %g" /v/x';
        const spec = { securityContext: { fsGroup: 123, runAsUser: 0 } };
        await lab.says(mounted(source, { script, spec }), ['drwxrwsrwx 123', '0 123']);
      },
    },
    {
      states: `${where} is shared by the containers of its pod and outlives them`,
      check: async (lab: Lab) => {
        const script = '[ -e /v/once ] && { cat /v/once; exit 0; }; echo kept > /v/once; exit 1';
        const plan = mounted(source, { script, spec: { restartPolicy: 'OnFailure' } });
        const { pod, lines } = await lab.run(plan);
        assert.equal(pod.status?.containerStatuses?.[0]?.restartCount, 1);
        assert.deepEqual(lines, ['kept']);
      },
    },
  ];
});

const HOST_PATHS: readonly Requirement[] = [
  {
    states: 'a hostPath is the host’s own directory, in both directions',
    check: async (lab) => {
      const path = `/tmp/skerry-conformance-${lab.namespace}-${process.pid}`;
      mkdirSync(path, { mode: 0o777 });
      try {
        writeFileSync(`${path}/there`, 'from the host\n');
        const spec = { securityContext: { runAsUser: 0 } };
        const plan = mounted(
          { hostPath: { path, type: 'Directory' } },
          { script: 'cat /v/there; echo here > /v/here', spec },
        );
        await lab.says(plan, ['from the host']);
        assert.equal(readFileSync(`${path}/here`, 'utf8'), 'here\n');
      } finally {
        rmSync(path, { recursive: true, force: true });
      }
    },
  },
  ...(
    [
      ['Directory', '/etc/hostname', 'is not a directory'],
      ['File', '/etc', 'is not a file'],
      ['Socket', '/etc/hostname', 'is not a socket file'],
      ['CharDevice', '/etc/hostname', 'is not a character device'],
      ['BlockDevice', '/etc/hostname', 'is not a block device'],
      ['Directory', '/no/such/directory', 'is not a directory'],
    ] as const
  ).map(
    ([type, path, words]): Requirement => ({
      states: `a hostPath of type ${type} refuses ${path}`,
      on: 'process',
      check: async (lab) => {
        await lab.create(mounted({ hostPath: { path, type } }));
        await lab.hasEvent(new RegExp(`FailedMount: .*hostPath type check failed: ${path} ${words}`));
        await eventually('it waits', async () => waitingFor(await lab.get()) === 'ContainerCreating');
      },
    }),
  ),
];

export const DIRECTORIES: readonly Requirement[] = [...SUB_PATHS, ...EMPTY_DIRS, ...HOST_PATHS];
