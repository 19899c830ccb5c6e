import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { PodSpec } from '../generated/types.ts';
import { formatStandard, policyFaults, policyOf, violationsOf } from './index.ts';
import { LEVELS, type Level } from './policy.ts';

const SAFE = {
  allowPrivilegeEscalation: false,
  runAsNonRoot: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
} as const;

interface Given {
  readonly spec?: object;
  readonly container?: object;
  readonly annotations?: Record<string, string>;
}

/** A pod that is hardened but for what is given. */
function podOf({ spec = {}, container = {} }: Given): PodSpec {
  return {
    containers: [{ name: 'c', image: 'web:1', securityContext: SAFE, ...container }],
    ...spec,
  } as unknown as PodSpec;
}

function check(level: Level, given: Given, expected: string[], minor?: number): void {
  const metadata = given.annotations === undefined ? {} : { annotations: given.annotations };
  const found = violationsOf(metadata, podOf(given), { level, ...(minor === undefined ? {} : { minor }) });
  assert.deepEqual(
    found.map(({ reason, detail }) => (detail === undefined ? reason : `${reason}: ${detail}`)),
    expected,
  );
}

const context = (securityContext: object): Given => ({
  container: { securityContext: { ...SAFE, ...securityContext } },
});

test('a hardened pod is fine at every level', () => {
  for (const level of LEVELS) check(level, {}, []);
});

test('what reaches the host is against the baseline', () => {
  const table: readonly [Given, string][] = [
    [{ spec: { hostNetwork: true, hostPID: true } }, 'host namespaces: hostNetwork=true, hostPID=true'],
    [context({ privileged: true }), 'privileged: container "c" must not set securityContext.privileged=true'],
    [
      context({ capabilities: { add: ['SYS_ADMIN', 'CHOWN'] } }),
      'non-default capabilities: container "c" must not include "SYS_ADMIN" in securityContext.capabilities.add',
    ],
    [{ spec: { volumes: [{ name: 'v', hostPath: { path: '/' } }] } }, 'hostPath volumes: volume "v"'],
    [{ container: { ports: [{ containerPort: 1, hostPort: 80 }] } }, 'hostPort: container "c" uses hostPort 80'],
    [
      { container: { livenessProbe: { httpGet: { port: 80, host: '10.0.0.1' } } } },
      'probe or lifecycle host: container "c" uses probe or lifecycle host "10.0.0.1"',
    ],
    [
      context({ appArmorProfile: { type: 'Unconfined' } }),
      'forbidden AppArmor profile: container "c" must not set AppArmor profile type to "Unconfined"',
    ],
    [
      context({ seLinuxOptions: { type: 'spc_t', user: 'u' } }),
      'seLinuxOptions: container "c" sets forbidden securityContext.seLinuxOptions: type "spc_t"; user may not be set',
    ],
    [
      context({ procMount: 'Unmasked' }),
      'procMount: container "c" must not set securityContext.procMount to "Unmasked"',
    ],
    [
      { spec: { securityContext: { seccompProfile: { type: 'Unconfined' } } } },
      'seccompProfile: pod must not set securityContext.seccompProfile.type to "Unconfined"',
    ],
    [
      { spec: { securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } } },
      'forbidden sysctls: kernel.msgmax',
    ],
    [
      { spec: { securityContext: { windowsOptions: { hostProcess: true } } } },
      'hostProcess: pod must not set securityContext.windowsOptions.hostProcess=true',
    ],
    [{ spec: { runtimeClassName: 'process' } }, 'process of the host: pod must not set runtimeClassName="process"'],
    [{ container: { image: 'host' } }, 'process of the host: container "c" must not use image "host"'],
  ];
  for (const [given, expected] of table) {
    check('baseline', given, [expected]);
    check('privileged', given, []);
  }
});

test('the restricted profile wants pods hardened', () => {
  check('restricted', { container: { securityContext: {} } }, [
    'allowPrivilegeEscalation != false: container "c" must set securityContext.allowPrivilegeEscalation=false',
    'unrestricted capabilities: container "c" must set securityContext.capabilities.drop=["ALL"]',
    'runAsNonRoot != true: pod or container "c" must set securityContext.runAsNonRoot=true',
    'seccompProfile: pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"',
  ]);
  check(
    'restricted',
    {
      spec: {
        volumes: [
          { name: 'v', hostPath: { path: '/' } },
          { name: 'w', emptyDir: {} },
        ],
      },
    },
    ['restricted volume types: volume "v" uses restricted volume type "hostPath"'],
  );
  check('restricted', context({ runAsUser: 0 }), ['runAsUser=0: container "c" must not set runAsUser=0']);
  check('restricted', context({ runAsNonRoot: false }), [
    'runAsNonRoot != true: container "c" must not set securityContext.runAsNonRoot=false',
  ]);
  const podWide = { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } };
  const { runAsNonRoot: _nonRoot, seccompProfile: _profile, ...rest } = SAFE;
  check('restricted', { spec: { securityContext: podWide }, container: { securityContext: rest } }, []);
});

test('rules hold from the version that brought them', () => {
  check(
    'restricted',
    context({ capabilities: { add: ['SYS_ADMIN'] } }),
    ['non-default capabilities: container "c" must not include "SYS_ADMIN" in securityContext.capabilities.add'],
    21,
  );
  check('restricted', context({ runAsUser: 0 }), [], 22);
  check('baseline', { container: { livenessProbe: { tcpSocket: { port: 80, host: 'h' } } } }, [], 33);
  const windows = { spec: { os: { name: 'windows' } }, ...context({ allowPrivilegeEscalation: true }) };
  check('restricted', windows, []);
  check(
    'restricted',
    windows,
    ['allowPrivilegeEscalation != false: container "c" must set securityContext.allowPrivilegeEscalation=false'],
    24,
  );
});

test('labels say what holds; what cannot be read is the strictest where it refuses', () => {
  const labels = (given: Record<string, string>) => ({
    labels: Object.fromEntries(
      Object.entries(given).map(([key, value]) => [`pod-security.kubernetes.io/${key}`, value]),
    ),
  });
  const { enforce, warn, audit } = policyOf(labels({ enforce: 'baseline', 'enforce-version': 'v1.30', warn: 'odd' }));
  assert.deepEqual([enforce, warn, audit].map(formatStandard), [
    'baseline:v1.30',
    'privileged:latest',
    'privileged:latest',
  ]);
  assert.equal(formatStandard(policyOf(labels({ enforce: 'odd' })).enforce), 'restricted:latest');
  assert.equal(formatStandard(policyOf({}).enforce), 'privileged:latest');
  assert.deepEqual(
    policyFaults(labels({ enforce: 'odd', 'warn-version': '1.30' })).map(({ message }) => message),
    [
      'metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "odd": must be one of privileged, baseline, restricted',
      'metadata.labels[pod-security.kubernetes.io/warn-version]: Invalid value: "1.30": must be "latest" or "v1.x"',
    ],
  );
});

test('whoever satisfies a stricter level satisfies the looser ones', () => {
  const flag = () => fc.option(fc.boolean(), { nil: undefined });
  const securityContext = fc.record({
    privileged: flag(),
    allowPrivilegeEscalation: flag(),
    runAsNonRoot: flag(),
    capabilities: fc.record({
      add: fc.subarray(['SYS_ADMIN', 'CHOWN', 'NET_BIND_SERVICE']),
      drop: fc.subarray(['ALL', 'KILL']),
    }),
    seccompProfile: fc.option(fc.record({ type: fc.constantFrom('Unconfined', 'RuntimeDefault') }), { nil: undefined }),
  });
  const spec = fc.record({
    hostPID: flag(),
    volumes: fc.subarray([
      { name: 'a', hostPath: { path: '/' } },
      { name: 'b', emptyDir: {} },
    ]),
    containers: fc.array(fc.record({ name: fc.constantFrom('a', 'b'), securityContext }), {
      minLength: 1,
      maxLength: 3,
    }),
  });
  fc.assert(
    fc.property(spec, (given) => {
      const [loose, strict] = (['baseline', 'restricted'] as const).map((level) =>
        violationsOf({}, given as unknown as PodSpec, { level }),
      );
      assert.ok((strict?.length ?? 0) > 0 || loose?.length === 0);
    }),
  );
});
