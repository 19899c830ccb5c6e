/** Whether a server has enough processes for what changes, by how many there are and what each can do. Pure. */
import type { Condition } from '../../resources/device-status.ts';
import { MAX_SHARDS, type OpcUaServer } from '../../resources/opcua-server.ts';

/** Changes a second that one process passes on without a loss. */
export const CHANGES_PER_PROCESS = 10_000;
/** More than that for so long is no burst: queues hold that. */
export const PATIENCE_MS = 30_000;

/** How many processes share the devices: what is asked for, or more where that is permitted and was needed. */
export function sharesOf({ spec, status }: OpcUaServer): number {
  const { shards = 1, maxShards = 1 } = spec;
  return Math.max(shards, Math.min(maxShards, status?.wantedShards ?? 1));
}

export interface Load {
  readonly changesPerSecond: number;
  /** Processes. */
  readonly shares: number;
  readonly now: number;
}

export class ShardDemand {
  #aboveSince: number | undefined;

  /** So many processes are needed; undefined while those that there are suffice. */
  wanted({ changesPerSecond, shares, now }: Load): number | undefined {
    if (changesPerSecond <= shares * CHANGES_PER_PROCESS) {
      this.#aboveSince = undefined;
      return undefined;
    }
    this.#aboveSince ??= now;
    if (now - this.#aboveSince < PATIENCE_MS || shares >= MAX_SHARDS) return undefined;
    return Math.min(MAX_SHARDS, Math.ceil(changesPerSecond / CHANGES_PER_PROCESS));
  }
}

const TYPE = 'KeepingUp';

/** All conditions of the status, with what is to be said of the load. */
export function conditionsOf(server: OpcUaServer, wanted: number | undefined, time: string): readonly Condition[] {
  const before = server.status?.conditions ?? [];
  const known = before.find(({ type }) => type === TYPE);
  const status = wanted === undefined ? 'True' : 'False';
  const condition: Condition = {
    type: TYPE,
    status,
    reason: wanted === undefined ? 'EnoughProcesses' : 'TooManyChanges',
    message: wanted === undefined ? '' : proposal(server, wanted),
    lastTransitionTime: known?.status === status ? known.lastTransitionTime : time,
  };
  return [...before.filter(({ type }) => type !== TYPE), condition];
}

function proposal(server: OpcUaServer, wanted: number): string {
  const { maxShards = 1 } = server.spec;
  const what = `more than ${CHANGES_PER_PROCESS} changes/s for each of ${sharesOf(server)} processes`;
  if (wanted <= maxShards) return `${what}: ${wanted} are started`;
  return `${what}: spec.shards or spec.maxShards of ${wanted} would share them; devices then move to other ports`;
}
