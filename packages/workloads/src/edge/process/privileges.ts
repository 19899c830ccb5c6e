/** Who a container runs as and what it may do: its securityContext honoured, or refused with the reason. Pure. */
import type { Container, Pod, PodSecurityContext, SecurityContext } from '../pod/types.ts';
import { RuntimeRefusal } from '../runtime.ts';

/** Whom the agent, and so the supervisor, runs as. */
export interface AgentIdentity {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

export interface Privileges {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  /** What programs may ever gain; undefined leaves all. */
  readonly bounding: readonly string[] | undefined;
  /** What the first program has although it is not root. */
  readonly ambient: readonly string[];
  readonly noNewPrivileges: boolean;
  readonly readOnlyRoot: boolean;
}

const CAPABILITIES = (
  'audit_control audit_read audit_write block_suspend bpf checkpoint_restore chown dac_override dac_read_search fowner ' +
  'fsetid ipc_lock ipc_owner kill lease linux_immutable mac_admin mac_override mknod net_admin net_bind_service ' +
  'net_broadcast net_raw perfmon setfcap setgid setpcap setuid sys_admin sys_boot sys_chroot sys_module sys_nice sys_pacct ' +
  'sys_ptrace sys_rawio sys_resource sys_time sys_tty_config syslog wake_alarm'
).split(' ');

/** What container runtimes leave to a root that is not privileged. */
const DEFAULT_CAPABILITIES =
  'audit_write chown dac_override fowner fsetid kill mknod net_bind_service net_raw setfcap setgid setpcap setuid sys_chroot'.split(
    ' ',
  );

/** `ownUid` is the uid set aside for this pod. Throws RuntimeRefusal. */
export function resolvePrivileges(pod: Pod, container: Container, agent: AgentIdentity, ownUid: number): Privileges {
  const shared = pod.spec.securityContext ?? {};
  const own = container.securityContext ?? {};
  refuseUnsupported(pod, shared, own);
  const resolved = agent.uid === 0 ? asRoot(shared, own, ownUid) : asUser(shared, own, agent);
  if ((own.runAsNonRoot ?? shared.runAsNonRoot) === true && resolved.uid === 0) {
    throw refuse('container has runAsNonRoot and would run as root');
  }
  return resolved;
}

function asRoot(shared: PodSecurityContext, own: SecurityContext, ownUid: number): Privileges {
  const privileged = own.privileged === true;
  const uid = own.runAsUser ?? shared.runAsUser ?? (privileged ? 0 : ownUid);
  const gid = own.runAsGroup ?? shared.runAsGroup ?? uid;
  const { bounding, added } = capabilitiesOf(own);
  return {
    uid,
    gid,
    groups: groupsOf(shared),
    bounding: privileged ? undefined : bounding,
    ambient: uid === 0 ? [] : privileged ? CAPABILITIES : added,
    noNewPrivileges: !privileged && own.allowPrivilegeEscalation !== true,
    readOnlyRoot: own.readOnlyRootFilesystem === true,
  };
}

/** Who a container of an image is, when neither it nor its pod says more. */
export interface ImageAccount {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/** `account` is the user that counts: the pod's, or the image's own. Throws RuntimeRefusal. */
export function resolveImagePrivileges(
  pod: Pod,
  container: Container,
  agent: AgentIdentity,
  account: ImageAccount,
): Privileges {
  const shared = pod.spec.securityContext ?? {};
  const own = container.securityContext ?? {};
  refuseUnsupported(pod, shared, own);
  const privileged = own.privileged === true;
  const { bounding, added } = capabilitiesOf(own);
  const isRoot = agent.uid === 0;
  if (privileged && !isRoot) throw refuse('privileged needs an agent that runs as root');
  const foreign = added.find((name) => !DEFAULT_CAPABILITIES.includes(name));
  if (foreign !== undefined && !isRoot) {
    throw refuse(`capability ${foreign.toUpperCase()} needs an agent that runs as root`);
  }
  return {
    uid: account.uid,
    gid: account.gid,
    // Without root, whoever runs it is one user with one group, to whom all of its volumes belong.
    groups: isRoot ? [...new Set([...account.groups, ...groupsOf(shared)])] : [],
    bounding: privileged ? CAPABILITIES : bounding,
    ambient: account.uid === 0 ? [] : privileged ? CAPABILITIES : added,
    // bubblewrap starts nothing that could gain privileges.
    noNewPrivileges: true,
    readOnlyRoot: own.readOnlyRootFilesystem === true,
  };
}

/** Without root there is one user and no capability to give: what asks for another is refused. */
function asUser(shared: PodSecurityContext, own: SecurityContext, agent: AgentIdentity): Privileges {
  const wants = { uid: own.runAsUser ?? shared.runAsUser, gid: own.runAsGroup ?? shared.runAsGroup };
  const mine = new Set([agent.gid, ...agent.groups]);
  if (own.privileged === true) throw refuse('privileged needs an agent that runs as root');
  if (wants.uid !== undefined && wants.uid !== agent.uid) {
    throw refuse(`runAsUser ${wants.uid} needs an agent that runs as root; this one runs as ${agent.uid}`);
  }
  if (wants.gid !== undefined && wants.gid !== agent.gid) {
    throw refuse(`runAsGroup ${wants.gid} needs an agent that runs as root; this one runs with group ${agent.gid}`);
  }
  const foreign = groupsOf(shared).find((group) => !mine.has(group));
  if (foreign !== undefined) throw refuse(`group ${foreign} needs an agent that runs as root`);
  const { added } = capabilitiesOf(own);
  if (added.length > 0) throw refuse(`capability ${added[0]?.toUpperCase()} needs an agent that runs as root`);
  return {
    uid: agent.uid,
    gid: agent.gid,
    groups: [],
    bounding: undefined,
    ambient: [],
    noNewPrivileges: own.allowPrivilegeEscalation !== true,
    readOnlyRoot: own.readOnlyRootFilesystem === true,
  };
}

function groupsOf({ supplementalGroups = [], fsGroup }: PodSecurityContext): number[] {
  return [...new Set([...supplementalGroups, ...(fsGroup === undefined ? [] : [fsGroup])])];
}

function capabilitiesOf({ capabilities }: SecurityContext): { bounding: string[]; added: string[] } {
  const added = (capabilities?.add ?? []).flatMap(parseCapability);
  const dropped = new Set((capabilities?.drop ?? []).flatMap(parseCapability));
  const kept = DEFAULT_CAPABILITIES.filter((name) => !dropped.has(name));
  return { bounding: [...new Set([...kept, ...added])], added };
}

function parseCapability(name: string): string[] {
  const plain = name.toLowerCase().replace(/^cap_/, '');
  if (plain === 'all') return CAPABILITIES;
  if (!CAPABILITIES.includes(plain)) throw refuse(`unknown capability ${name}`);
  return [plain];
}

function refuseUnsupported(pod: Pod, shared: PodSecurityContext, own: SecurityContext): void {
  const seccomp = own.seccompProfile?.type ?? shared.seccompProfile?.type;
  const appArmor = own.appArmorProfile?.type ?? shared.appArmorProfile?.type;
  if (seccomp === 'Localhost') throw refuse('seccompProfile Localhost is not supported by runtime process');
  if (appArmor === 'Localhost') throw refuse('appArmorProfile Localhost is not supported by runtime process');
  if (own.seLinuxOptions ?? shared.seLinuxOptions) throw refuse('seLinuxOptions are not supported by runtime process');
  if ((shared.sysctls?.length ?? 0) > 0) throw refuse('sysctls are not supported by runtime process');
  if (pod.spec.hostUsers === false) throw refuse('hostUsers: false is not supported by runtime process');
}

function refuse(message: string): RuntimeRefusal {
  return new RuntimeRefusal('CreateContainerConfigError', message);
}
