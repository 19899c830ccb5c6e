/** Who a container is and what it may do. */
import assert from 'node:assert/strict';
import type { PodSecurityContext, SecurityContext } from '@skerry/api/types';
import { type Lab, type Requirement, statusOf, waitingFor } from './lab.ts';

interface Wish {
  readonly states: string;
  readonly on?: Requirement['on'];
  readonly own?: SecurityContext;
  readonly pod?: PodSecurityContext;
  readonly script: string;
  readonly lines: readonly string[];
}

const says = ({ states, on, own, pod, script, lines }: Wish): Requirement => ({
  states,
  ...(on === undefined ? {} : { on }),
  check: async (lab) => {
    await lab.says(
      {
        script,
        container: own === undefined ? {} : { securityContext: own },
        spec: pod === undefined ? {} : { securityContext: pod },
      },
      lines,
    );
  },
});

const status = (field: string) => `grep ^${field}: /proc/self/status | tr -d "\\t "`;

const PRIVILEGES: readonly Requirement[] = [
  says({
    states: 'a container runs as the user of its pod',
    pod: { runAsUser: 1001 },
    script: 'id -u',
    lines: ['1001'],
  }),
  says({
    states: 'its own user and group go before the pod’s',
    pod: { runAsUser: 1001, runAsGroup: 2001 },
    own: { runAsUser: 1002, runAsGroup: 2002 },
    script: 'id -u; id -g',
    lines: ['1002', '2002'],
  }),
  says({ states: 'user 0 is root', own: { runAsUser: 0 }, script: 'id -u', lines: ['0'] }),
  says({ states: 'user 65534 is nobody', own: { runAsUser: 65_534 }, script: 'id -u', lines: ['65534'] }),
  says({
    states: 'a container is in the supplemental groups of its pod and in its fsGroup',
    pod: { runAsUser: 1000, supplementalGroups: [1234, 5678], fsGroup: 4321 },
    script: 'for g in $(id -G); do echo $g; done | grep -xE "1234|5678|4321" | sort',
    lines: ['1234', '4321', '5678'],
  }),
  says({
    states: 'a root file system that is read-only cannot be written',
    own: { readOnlyRootFilesystem: true, runAsUser: 0 },
    script: 'touch /checkfile 2>/dev/null || echo no',
    lines: ['no'],
  }),
  says({
    states: 'a root file system that is not read-only can be written',
    on: 'containerd',
    own: { readOnlyRootFilesystem: false },
    script: 'touch /checkfile && echo yes',
    lines: ['yes'],
  }),
  says({
    states: 'without a word, privileges may grow',
    on: 'containerd',
    own: { runAsUser: 1000 },
    script: status('NoNewPrivs'),
    lines: ['NoNewPrivs:0'],
  }),
  says({
    states: 'allowPrivilegeEscalation true lets privileges grow',
    on: 'containerd',
    own: { runAsUser: 1000, allowPrivilegeEscalation: true },
    script: status('NoNewPrivs'),
    lines: ['NoNewPrivs:0'],
  }),
  says({
    states: 'allowPrivilegeEscalation false keeps privileges from growing',
    own: { runAsUser: 1000, allowPrivilegeEscalation: false },
    script: status('NoNewPrivs'),
    lines: ['NoNewPrivs:1'],
  }),
  says({
    states: 'a container that is not privileged has the usual capabilities only',
    own: { runAsUser: 0 },
    script: status('CapBnd'),
    lines: ['CapBnd:00000000a80425fb'],
  }),
  says({
    states: 'capabilities are added and dropped',
    own: { runAsUser: 0, capabilities: { add: ['NET_ADMIN'], drop: ['CHOWN'] } },
    script: status('CapBnd'),
    lines: ['CapBnd:00000000a80435fa'],
  }),
  says({
    states: 'all capabilities can be dropped',
    own: { runAsUser: 0, capabilities: { drop: ['ALL'] } },
    script: status('CapBnd'),
    lines: ['CapBnd:0000000000000000'],
  }),
  says({
    states: 'seccomp RuntimeDefault filters system calls',
    on: 'containerd',
    own: { seccompProfile: { type: 'RuntimeDefault' } },
    script: status('Seccomp'),
    lines: ['Seccomp:2'],
  }),
  says({
    states: 'seccomp of the pod is that of its containers',
    on: 'containerd',
    pod: { seccompProfile: { type: 'RuntimeDefault' } },
    script: status('Seccomp'),
    lines: ['Seccomp:2'],
  }),
  says({
    states: 'seccomp Unconfined of a container goes before the pod’s',
    on: 'containerd',
    pod: { seccompProfile: { type: 'RuntimeDefault' } },
    own: { seccompProfile: { type: 'Unconfined' } },
    script: status('Seccomp'),
    lines: ['Seccomp:0'],
  }),
  says({
    states: 'a container that must not be root runs as another user',
    own: { runAsNonRoot: true, runAsUser: 1000 },
    script: 'id -u',
    lines: ['1000'],
  }),
];

const ROOT: readonly Requirement[] = [
  {
    states: 'a container that must not be root, and says it is, is refused',
    check: (lab) => refused(lab, { runAsNonRoot: true, runAsUser: 0 }),
  },
  {
    states: 'a container that must not be root, and whose image is, is refused',
    on: 'containerd',
    check: (lab) => refused(lab, { runAsNonRoot: true }),
  },
  {
    states: 'a privileged container has every capability and no filter',
    check: async (lab) => {
      const script = `${status('CapEff')}; ${status('Seccomp')}; cat /proc/sys/kernel/cap_last_cap`;
      const { lines } = await lab.run({ script, container: { securityContext: { privileged: true } } });
      const mine = BigInt(`0x${lines[0]?.split(':')[1]}`);
      // A confined machine has fewer to give; ours are more than the usual ones then.
      assert.ok(mine > 0xa80425fbn, lines[0]);
      assert.equal(lines[1], 'Seccomp:0');
    },
  },
];

async function refused(lab: Lab, securityContext: SecurityContext): Promise<void> {
  await lab.create({ container: { securityContext } });
  const pod = await lab.until('its refusal', (one) => waitingFor(one) === 'CreateContainerConfigError');
  assert.match(statusOf(pod)?.state?.waiting?.message ?? '', /runAsNonRoot|non-root/);
}

const SYSCTLS: readonly Requirement[] = [
  {
    states: 'a safe sysctl is set for the pod',
    on: 'containerd',
    check: async (lab) => {
      const sysctls = [{ name: 'kernel.shm_rmid_forced', value: '1' }];
      await lab.says({ script: 'cat /proc/sys/kernel/shm_rmid_forced', spec: { securityContext: { sysctls } } }, ['1']);
    },
  },
  {
    states: 'a sysctl may be written with slashes',
    on: 'containerd',
    check: async (lab) => {
      const sysctls = [{ name: 'kernel/shm_rmid_forced', value: '1' }];
      await lab.says({ script: 'cat /proc/sys/kernel/shm_rmid_forced', spec: { securityContext: { sysctls } } }, ['1']);
    },
  },
  {
    states: 'a sysctl that is not known to be safe is no sysctl for a pod: SysctlForbidden',
    check: async (lab) => {
      const sysctls = [{ name: 'kernel.msgmax', value: '65536' }];
      await lab.create({ spec: { securityContext: { sysctls } } });
      const { status: said } = await lab.until('it has failed', (pod) => pod.status?.phase === 'Failed');
      assert.equal(said?.reason, 'SysctlForbidden');
      await lab.hasEvent(/^SysctlForbidden: forbidden sysctl: "kernel.msgmax" not allowlisted/);
    },
  },
  {
    states: 'sysctls that are no names are refused by the API',
    on: 'process',
    check: async (lab) => {
      for (const name of ['foo-', 'kernel/../x', 'bar..']) {
        const sysctls = [{ name, value: '1' }];
        await assert.rejects(
          lab.create({ spec: { securityContext: { sysctls } } }),
          /spec.securityContext.sysctls/,
          name,
        );
      }
    },
  },
];

export const SECURITY: readonly Requirement[] = [...PRIVILEGES, ...ROOT, ...SYSCTLS];
