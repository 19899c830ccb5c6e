/** The argument arrays that lead from the supervisor to the container's command. */
import type { Privileges } from './privileges.ts';

/** Absolute paths of the programs that are used, so that nobody's PATH decides. */
export interface Tools {
  readonly bwrap?: string;
  readonly setpriv?: string;
  readonly env: string;
}

/** Where programs are looked for when nobody says where. */
export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Variables that the dynamic loader and the C library obey. They must not reach the programs that still have the agent's
 * privileges, so `env` sets them once those are gone.
 */
const LOADER_VARIABLE =
  /^(LD_|GLIBC_|MALLOC_|GCONV_PATH$|GETCONF_DIR$|HOSTALIASES$|LANGUAGE$|LC_|LANG$|LOCALDOMAIN$|LOCPATH$|MEMUSAGE|NIS_PATH$|NLSPATH$|PCPROFILE|RESOLV_|RES_OPTIONS$|SEGFAULT_|SOTRUSS_|TMPDIR$|TZDIR$|TEXTDOMAIN)/;
/** What shells, and mount, obey: the root of an image is mounted by way of them. */
const SHELL_VARIABLE = /^(BASH|SHELLOPTS$|ENV$|IFS$|PS[0-4]$|POSIX|LIBMOUNT_|LIBBLKID_|LIBSMARTCOLS_|ULPATH)/;

export interface Invocation {
  readonly argv: string[];
  /** How much of `argv` comes before the command. */
  readonly prefixLength: number;
  readonly env: Record<string, string>;
}

/** `setpriv … -- env LD_X=y … command args`, with only what is needed of it. */
export function invocationOf(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
  privileges: Privileges,
  agent: { readonly uid: number },
  tools: Tools,
): Invocation {
  const dropped = dropOptions(privileges, agent, tools);
  if (tools.setpriv === undefined || dropped === undefined) {
    return { argv: [...command], prefixLength: 0, env: { ...env } };
  }
  const { early, late } = splitEnvironment(env);
  const setLate = late.length === 0 ? [] : [tools.env, ...late];
  const prefix = [tools.setpriv, ...dropped, '--', ...setLate];
  return { argv: [...prefix, ...command], prefixLength: prefix.length, env: early };
}

/** What may be set at once, and what only for the command itself. */
export function splitEnvironment(env: Readonly<Record<string, string>>): {
  readonly early: Record<string, string>;
  readonly late: readonly string[];
} {
  const early: Record<string, string> = {};
  const late: string[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (LOADER_VARIABLE.test(name) || SHELL_VARIABLE.test(name)) late.push(`${name}=${value}`);
    else early[name] = value;
  }
  return { early, late };
}

function dropOptions(privileges: Privileges, agent: { readonly uid: number }, tools: Tools): string[] | undefined {
  if (tools.setpriv === undefined) return undefined;
  const options = privileges.noNewPrivileges ? ['--no-new-privs'] : [];
  if (agent.uid !== 0) return options;
  return [...options, ...userOptions(privileges), ...capabilityOptions(privileges)];
}

export function userOptions({ uid, gid, groups }: Privileges): string[] {
  const further = groups.length === 0 ? ['--clear-groups'] : ['--groups', groups.join(',')];
  return ['--reuid', String(uid), '--regid', String(gid), ...further];
}

export function capabilityOptions({ ambient, bounding }: Privileges): string[] {
  const given = capabilityList(ambient);
  const bound = bounding === undefined ? [] : [`--bounding-set=${capabilityList(bounding)}`];
  return [`--inh-caps=${given}`, `--ambient-caps=${given}`, ...bound];
}

function capabilityList(names: readonly string[]): string {
  return ['-all', ...names.map((name) => `+${name}`)].join(',');
}
