/** How a container of an image starts: its config and its pod's spec brought together, as Kubernetes does it. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { ImageConfig } from '../../../images/index.ts';
import type { Container, Pod } from '../../pod/types.ts';
import { type ReadyMount, RuntimeRefusal, type StartContainer } from '../../runtime.ts';
import { capabilityOptions, DEFAULT_PATH, splitEnvironment, userOptions } from '../command.ts';
import { isMounted, type Launch } from '../host-launch.ts';
import { type AgentIdentity, type Privileges, resolveImagePrivileges } from '../privileges.ts';
import { type Account, accountOf, isNumericUser } from './accounts.ts';
import { imageSandboxOptions } from './image-sandbox.ts';
import type { InnerTools } from './inner-tools.ts';
import { readInRoot, resolveInRoot } from './rooted.ts';
import type { ImageTree } from './trees.ts';

/** An honest /etc/passwd is far smaller. */
const MAX_ACCOUNT_FILE_BYTES = 1024 * 1024;

export interface LaunchFacts {
  readonly tree: ImageTree;
  readonly agent: AgentIdentity;
  /** Those that the pod's spec names, and what every container has. */
  readonly mounts: readonly ReadyMount[];
  readonly hostname: string;
}

/** What there is to know before anything is made for the container. Throws RuntimeRefusal. */
export interface LaunchPlan {
  readonly privileges: Privileges;
  readonly env: Readonly<Record<string, string>>;
  readonly command: readonly string[];
  readonly workingDirectory: string;
}

export function planLaunch({ pod, container, ...request }: StartContainer, facts: LaunchFacts): LaunchPlan {
  const { tree, agent, hostname, mounts } = facts;
  const { config } = tree;
  const account = accountFor(pod, container, tree);
  const privileges = resolveImagePrivileges(pod, container, agent, account);
  const own = { PATH: DEFAULT_PATH, HOSTNAME: hostname, HOME: account.home };
  const env = { ...own, ...environmentOf(config.env), ...request.env };
  const command = commandOf(config, request.command, request.args);
  const workingDirectory = container.workingDir ?? config.workingDir ?? '/';
  refuseMissingProgram(command[0], { tree, mounts, path: env.PATH, workingDirectory });
  return { privileges, env, command, workingDirectory };
}

export interface RoomFacts extends LaunchFacts {
  /** Where the container's root is. */
  readonly root: string;
  /** Words before bubblewrap, to get to where the root is seen. */
  readonly enter: readonly string[];
  readonly bwrap: string;
  readonly nsenter: string;
  readonly tools: InnerTools;
}

export function launchOf(plan: LaunchPlan, { pod, container }: StartContainer, facts: RoomFacts): Launch {
  const { privileges, workingDirectory } = plan;
  const { uid, gid } = privileges;
  const isRoot = facts.agent.uid === 0;
  const { early, late } = splitEnvironment(plan.env);
  const prefix = [
    ...facts.tools.setpriv,
    ...dropOptions(privileges, isRoot),
    '--',
    ...(late.length === 0 ? [] : [...facts.tools.env, ...late]),
  ];
  const sandbox = imageSandboxOptions({
    root: facts.root,
    tree: facts.tree.path,
    mounts: facts.mounts,
    readOnlyRoot: privileges.readOnlyRoot,
    workingDirectory,
    sharesPids: pod.spec.hostPID === true,
    sharesIpc: pod.spec.hostIPC === true,
    isPrivileged: container.securityContext?.privileged === true,
    capabilities: [...new Set([...(privileges.bounding ?? []), ...(isRoot || uid === 0 ? SETTING_UP : [])])],
    tools: facts.tools.binds,
    ...(pod.spec.hostNetwork === true ? {} : { hostname: facts.hostname }),
    ...(isRoot ? {} : { asUser: { uid, gid } }),
  });
  return {
    enter: facts.enter,
    sandbox: [facts.bwrap, ...sandbox],
    argv: [...prefix, ...plan.command],
    prefixLength: prefix.length,
    env: early,
    owner: isRoot ? { uid, gid } : { uid: facts.agent.uid, gid: facts.agent.gid },
    join: [
      facts.nsenter,
      ...JOINED,
      ...(isRoot ? [] : ['--user', '--preserve-credentials']),
      `--wdns=${workingDirectory}`,
    ],
  };
}

const JOINED = ['--mount', '--pid', '--ipc', '--uts'];
/** What it takes to become the container's user; setpriv takes these away again. */
const SETTING_UP = ['setuid', 'setgid', 'setpcap'];

/** Without root, bubblewrap has made us the user already, and has taken what nobody but root can take. */
function dropOptions(privileges: Privileges, isRoot: boolean): string[] {
  const user = isRoot ? userOptions(privileges) : [];
  const capabilities = isRoot || privileges.uid === 0 ? capabilityOptions(privileges) : [];
  return ['--no-new-privs', ...user, ...capabilities];
}

/** The pod's word counts before the image's. */
function accountFor(pod: Pod, container: Container, { path, config }: ImageTree): Account {
  const shared = pod.spec.securityContext ?? {};
  const own = container.securityContext ?? {};
  const wanted = own.runAsUser ?? shared.runAsUser;
  const [passwd, group] = ['/etc/passwd', '/etc/group'].map((file) => readInRoot(path, file, MAX_ACCOUNT_FILE_BYTES));
  const user = wanted === undefined ? (config.user ?? '') : String(wanted);
  const account = accountOf(user, passwd ?? '', group ?? '');
  if (account === undefined)
    throw refuse(`unable to find user ${user}: no matching entries in the image's passwd or group file`);
  if ((own.runAsNonRoot ?? shared.runAsNonRoot) === true) refuseRoot(account, user, wanted !== undefined);
  return { ...account, gid: own.runAsGroup ?? shared.runAsGroup ?? account.gid };
}

function refuseRoot({ uid }: Account, user: string, isByPod: boolean): void {
  if (uid === 0) {
    throw refuse(
      isByPod
        ? "container's runAsUser breaks non-root policy"
        : 'container has runAsNonRoot and image will run as root',
    );
  }
  if (isByPod || isNumericUser(user)) return;
  throw refuse(
    `container has runAsNonRoot and image has non-numeric user (${user.split(':')[0]}), cannot verify user is non-root`,
  );
}

/** A pod's command takes the place of both of the image's; its args only that of the image's own. */
function commandOf(
  { entrypoint, cmd }: ImageConfig,
  command: readonly string[],
  args: readonly string[],
): readonly string[] {
  if (command.length > 0) return [...command, ...args];
  return [...entrypoint, ...(args.length > 0 ? args : cmd)];
}

function environmentOf(env: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    env.flatMap((entry) => {
      const at = entry.indexOf('=');
      return at <= 0 || entry.includes('\0') ? [] : [[entry.slice(0, at), entry.slice(at + 1)]];
    }),
  );
}

interface Search {
  readonly tree: ImageTree;
  readonly mounts: readonly ReadyMount[];
  readonly path: string;
  readonly workingDirectory: string;
}

/** A clear word before the start, as container runtimes give it. What a volume may bring is left to the start itself. */
function refuseMissingProgram(program: string | undefined, { tree, mounts, path, workingDirectory }: Search): void {
  if (program === undefined) throw refuse('no command specified: neither the image nor the pod names one');
  const candidates = program.includes('/')
    ? [program.startsWith('/') ? program : join(workingDirectory, program)]
    : path.split(delimiter).map((directory) => join('/', directory, program));
  if (candidates.some((candidate) => isThere(candidate, tree) || isMounted(candidate, mounts))) return;
  const problem = program.includes('/') ? 'no such file or directory' : 'executable file not found in $PATH';
  throw new RuntimeRefusal('StartError', `exec: "${program}": ${problem}`);
}

function isThere(path: string, tree: ImageTree): boolean {
  const found = resolveInRoot(tree.path, path);
  return found?.stats?.isFile() === true && existsSync(join(tree.path, found.path));
}

function refuse(message: string): RuntimeRefusal {
  return new RuntimeRefusal('CreateContainerConfigError', message);
}
