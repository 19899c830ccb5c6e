/** The argument arrays that lead from the supervisor to the container's command. */
import type { Privileges } from './privileges.ts';

/** Absolute paths of the programs that are used, so that nobody's PATH decides. */
export interface Tools {
  readonly bwrap?: string;
  readonly setpriv?: string;
  readonly env: string;
}

export const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * Variables that the dynamic loader and the C library obey. They must not reach the programs that still have the agent's
 * privileges, so `env` sets them once those are gone.
 */
const LOADER_VARIABLE =
  /^(LD_|GLIBC_|MALLOC_|GCONV_PATH$|GETCONF_DIR$|HOSTALIASES$|LANGUAGE$|LC_|LANG$|LOCALDOMAIN$|LOCPATH$|MEMUSAGE|NIS_PATH$|NLSPATH$|PCPROFILE|RESOLV_|RES_OPTIONS$|SEGFAULT_|SOTRUSS_|TMPDIR$|TZDIR$|TEXTDOMAIN)/;

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
  const early: Record<string, string> = {};
  const late: string[] = [];
  for (const [name, value] of Object.entries(env)) {
    if (LOADER_VARIABLE.test(name)) late.push(`${name}=${value}`);
    else early[name] = value;
  }
  const setLate = late.length === 0 ? [] : [tools.env, ...late];
  const prefix = [tools.setpriv, ...dropped, '--', ...setLate];
  return { argv: [...prefix, ...command], prefixLength: prefix.length, env: early };
}

function dropOptions(privileges: Privileges, agent: { readonly uid: number }, tools: Tools): string[] | undefined {
  if (tools.setpriv === undefined) return undefined;
  const options = privileges.noNewPrivileges ? ['--no-new-privs'] : [];
  if (agent.uid !== 0) return options;
  const { uid, gid, groups, bounding, ambient } = privileges;
  options.push('--reuid', String(uid), '--regid', String(gid));
  options.push(...(groups.length === 0 ? ['--clear-groups'] : ['--groups', groups.join(',')]));
  const given = capabilityList(ambient);
  options.push(`--inh-caps=${given}`, `--ambient-caps=${given}`);
  if (bounding !== undefined) options.push(`--bounding-set=${capabilityList(bounding)}`);
  return options;
}

function capabilityList(names: readonly string[]): string {
  return ['-all', ...names.map((name) => `+${name}`)].join(',');
}
