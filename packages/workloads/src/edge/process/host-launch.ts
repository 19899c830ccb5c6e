/** How a program of the node starts (`image: host`): it sees the node's own files, with what its pod mounts among them. */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { environmentDirectory } from '../../supervisor/environments.ts';
import type { StartRequest } from '../../supervisor/protocol.ts';
import { hostnameOf } from '../pod/etc-hosts.ts';
import type { Container, Pod } from '../pod/types.ts';
import { type ReadyMount, RuntimeRefusal, type StartContainer } from '../runtime.ts';
import { DEFAULT_PATH, invocationOf, type Tools } from './command.ts';
import { EARLY_PLACES } from './early-programs.ts';
import { type AgentIdentity, type Privileges, resolvePrivileges } from './privileges.ts';
import { hostRoot } from './root-view.ts';
import { sandboxOptions } from './sandbox.ts';

export interface HostLaunchFacts {
  readonly agent: AgentIdentity;
  /** Set aside for the pod. */
  readonly ownUid: number;
  readonly tools: Tools;
  readonly mounts: readonly ReadyMount[];
  /** Directories and files that no container may see. */
  readonly hidden: readonly string[];
}

export type Launch = Pick<
  StartRequest,
  'enter' | 'sandbox' | 'argv' | 'prefixLength' | 'env' | 'cwd' | 'owner' | 'join'
>;

/** Throws RuntimeRefusal. */
export function hostLaunchOf(request: StartContainer, facts: HostLaunchFacts): Launch {
  const { pod, container } = request;
  const { agent, ownUid, tools, mounts } = facts;
  const privileges = resolvePrivileges(pod, container, agent, ownUid);
  const env = withDefaults(request.env, pod, privileges);
  const command = [...request.command, ...request.args];
  refuseMissingProgram(command[0], env['PATH'] ?? DEFAULT_PATH, mounts);
  return {
    owner: { uid: privileges.uid, gid: privileges.gid },
    ...surroundingsOf(request, privileges, facts),
    ...invocationOf(command, env, privileges, agent, tools),
  };
}

/** A mount namespace where there is bubblewrap; without it, only what needs none. */
function surroundingsOf(
  { pod, container }: StartContainer,
  privileges: Privileges,
  { agent, mounts, hidden, tools: { bwrap } }: HostLaunchFacts,
): Pick<StartRequest, 'sandbox' | 'cwd'> {
  const workingDirectory = container.workingDir ?? '/';
  if (bwrap === undefined) {
    refuseWithoutSandbox(container, privileges);
    return { cwd: workingDirectory };
  }
  const hostname = pod.spec.hostNetwork === true ? {} : { hostname: hostnameOf(pod) };
  const { readOnlyRoot } = privileges;
  // An agent that is not root has nothing to drop.
  const reserved = agent.uid === 0 ? EARLY_PLACES : [];
  const unseen = [...hidden, environmentDirectory()];
  const sandbox = sandboxOptions(
    { mounts, readOnlyRoot, hidden: unseen, reserved, workingDirectory, ...hostname },
    hostRoot,
  );
  return { sandbox: [bwrap, ...sandbox] };
}

function refuseWithoutSandbox(container: Container, { readOnlyRoot }: Privileges): void {
  const needs =
    (container.volumeMounts?.length ?? 0) > 0 ? 'volume mounts' : readOnlyRoot ? 'readOnlyRootFilesystem' : '';
  if (needs === '') return;
  throw new RuntimeRefusal(
    'CreateContainerConfigError',
    `${needs} of container ${container.name} need bubblewrap, which this node lacks: apt-get install bubblewrap`,
  );
}

/** A clear word before the start, as container runtimes give it. What a volume may bring is left to the start itself. */
function refuseMissingProgram(program: string | undefined, path: string, mounts: readonly ReadyMount[]): void {
  if (program === undefined) {
    throw new RuntimeRefusal('CreateContainerConfigError', 'image host has no program of its own: set command');
  }
  if (!program.includes('/')) {
    if (path.split(delimiter).some((directory) => existsSync(join(directory, program)) || isMounted(directory, mounts)))
      return;
    throw new RuntimeRefusal('StartError', `exec: "${program}": executable file not found in $PATH`);
  }
  if (!program.startsWith('/') || isMounted(program, mounts) || existsSync(program)) return;
  throw new RuntimeRefusal('StartError', `exec: "${program}": no such file or directory`);
}

export function isMounted(path: string, mounts: readonly ReadyMount[]): boolean {
  return mounts.some(({ mountPath }) => path === mountPath || path.startsWith(`${mountPath}/`));
}

function withDefaults(
  env: Readonly<Record<string, string>>,
  pod: Pod,
  { uid }: Privileges,
): Readonly<Record<string, string>> {
  return { PATH: DEFAULT_PATH, HOSTNAME: hostnameOf(pod), HOME: uid === 0 ? '/root' : '/', ...env };
}
