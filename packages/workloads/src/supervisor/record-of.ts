/** What is remembered of a start, and how a further command starts by it. */
import { sandboxedPid } from './identity.ts';
import type { FurtherCommand, LaunchSpec, ProcessIdentity, StartRequest } from './protocol.ts';
import type { StoredRecord } from './records.ts';

export interface Started {
  readonly main: ProcessIdentity;
  readonly monitor: ProcessIdentity | undefined;
  readonly startedAt: number;
}

export function recordOf(request: StartRequest, { main, monitor, startedAt }: Started): StoredRecord {
  const { id, labels, log, argv, prefixLength = 0, env, enter, sandbox, join, cwd, owner } = request;
  return {
    id,
    labels,
    log,
    startedAt,
    main,
    launch: {
      prefix: argv.slice(0, prefixLength),
      env,
      ...(enter === undefined ? {} : { enter }),
      ...(sandbox === undefined ? {} : { sandbox }),
      ...(join === undefined ? {} : { join }),
      ...(cwd === undefined ? {} : { cwd }),
      ...(owner === undefined ? {} : { owner }),
    },
    ...(monitor === undefined ? {} : { monitor }),
    ...(request.stdin ? { stdin: true } : {}),
    ...(request.stdinOnce ? { stdinOnce: true } : {}),
    ...(request.tty ? { tty: true } : {}),
  };
}

/** Beside a process that runs: in its sandbox, as its owner, with its environment. */
export function commandBeside({ main, launch }: StoredRecord, { command, stdin, tty }: FurtherCommand): LaunchSpec {
  const { prefix, join, enter, sandbox, cwd, owner, env = {} } = launch;
  const own = { ...(cwd === undefined ? {} : { cwd }), ...(owner === undefined ? {} : { owner }) };
  const made = sandbox === undefined ? {} : { sandbox, ...(enter === undefined ? {} : { enter }) };
  const inside = sandboxedPid(main.pid);
  return {
    ...own,
    ...(join === undefined ? made : {}),
    argv: [...(join === undefined ? [] : [...join, '--target', String(inside), '--']), ...prefix, ...command],
    env: tty ? { TERM: 'xterm', ...env } : env,
    ...(stdin ? { stdin } : {}),
    ...(tty ? { tty } : {}),
  };
}
