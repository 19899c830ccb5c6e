/**
 * What the road takes and tells. Its neighbours: the kind `Route` (its schema holds `RouteSettings`), whatever makes rows at the
 * edge (`Road.take`), and the cloud's series store (`IntakeStore`).
 */

import type { Batch } from '../contract/index.ts';

/** What a series is called: the same at the edge, on the way and in the cloud's store, where `node` is added. */
export type Labels = Readonly<Record<string, string>>;

/** What the intake asks of the cloud's store. A `Batch` has the store's own numbers of series here. */
export interface IntakeStore {
  /** Of a series, which is made when it is new. */
  series(labels: Labels): number;
  /**
   * Resolves once rows and mark are on disk, in one commit: after whatever crash both are there or neither is. The order of calls is
   * the order of commits. So the road knows which blocks it has brought, and brings each exactly once.
   */
  append(rows: Batch, mark: Mark): Promise<void>;
  /** The last value of a mark. */
  mark(key: string): Uint8Array | undefined;
}

export interface Mark {
  readonly key: string;
  /** At most a hundred bytes; replaces what the mark was. */
  readonly value: Uint8Array;
}

/** Which queue rows wait in. Alarms go before everything; live values age into the backlog, which fills the rest of the budget. */
export type Priority = 'Alarm' | 'Live' | 'Backlog';

/** A part of the week with a budget of its own. */
export interface BudgetWindow {
  /** Minutes since midnight, in UTC; a window whose end is not after its start goes on into the next day. */
  readonly from: number;
  readonly to: number;
  /** Days on which it begins: 0 is Sunday. All without it. */
  readonly days?: readonly number[];
  /** Absent: without limit. 0: nothing but alarms. */
  readonly bytesPerSecond?: number;
}

/** A Route as the road needs it. */
export interface RouteSettings {
  readonly priority: Priority;
  /** A live value that could not leave for so long waits in the backlog. */
  readonly liveForMs: number;
  /** So long rows are collected before they are a block on disk. */
  readonly lingerMs: number;
  /** The queue's bounds: what is beyond is dropped, oldest first, and counted. */
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  /** Outside of all windows. Absent: without limit. */
  readonly bytesPerSecond?: number;
  readonly windows: readonly BudgetWindow[];
}

/** Why rows never reached the cloud. */
export const DROP_REASONS = [
  'QueueFull',
  'TooOld',
  /** They came faster than they could be taken. */
  'Overrun',
  /** The node's disk took no more. */
  'DiskFull',
  'TooManySeries',
  /** The cloud will never take them. */
  'Refused',
  /** The block on disk could not be read any more. */
  'Damaged',
] as const;
export type DropReason = (typeof DROP_REASONS)[number];

/** One queue of a route. Times are milliseconds since 1970. */
export interface QueueStatus {
  readonly blocks: number;
  readonly rows: number;
  readonly bytes: number;
  /** When the oldest that waits was put there. */
  readonly oldest?: number;
}

export interface RouteStatus {
  readonly queues: Readonly<Record<Priority, QueueStatus>>;
  /** Rows that were put on disk here, and that are on the cloud's disk. */
  readonly taken: number;
  readonly delivered: number;
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>;
  /** Everything up to this number is in the cloud or was dropped. */
  readonly acknowledged: number;
  /** Over the last seconds. */
  readonly rowsPerSecond: number;
  readonly bytesPerSecond: number;
  /** As of now; absent: without limit. */
  readonly budget?: number;
}

export interface RoadStatus {
  readonly isConnected: boolean;
  /** Why not, or what holds it up, in words. */
  readonly problem?: string;
}
