/** What the road is told and tells. */

/** Alarms go before everything; live values before what waited. */
export type Priority = 'Alarms' | 'Live';

/** A part of the week with a budget of its own. */
export interface BudgetWindow {
  /** Minutes since midnight, in `timeZone`; one that ends before it begins goes on into the next day. */
  readonly from: number;
  readonly to: number;
  /** On which it begins: 0 is Sunday. */
  readonly days: readonly number[];
  readonly timeZone: string;
  readonly bytesPerSecond: number;
}

/** A Route as the road needs it. */
export interface RouteSettings {
  readonly priority: Priority;
  readonly maxRows: number;
  /** So long rows are collected before they are a block on disk. */
  readonly maxDelayMs: number;
  /** The queue's bounds: what is beyond is dropped, oldest first, and counted. */
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  /** Outside of all windows. Absent: as much as the link takes. */
  readonly bytesPerSecond?: number;
  /** The first that holds counts. */
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
  /** The block could not be read any more. */
  'Damaged',
] as const;

export type DropReason = (typeof DROP_REASONS)[number];

export interface QueueStatus {
  readonly blocks: number;
  readonly rows: number;
  readonly bytes: number;
  /** When the oldest that waits was put there: milliseconds since 1970. */
  readonly oldest?: number;
}

/** How a route is. Counts are of all its time at this node. */
export interface RouteReport {
  /** What goes as soon as it comes, and what waited. */
  readonly live: QueueStatus;
  readonly late: QueueStatus;
  /** Rows that were put on disk here, that left it, and that are on the cloud's disk. */
  readonly taken: number;
  readonly sent: number;
  readonly sentBytes: number;
  readonly delivered: number;
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>;
  /** What the cloud said when it refused rows last. */
  readonly refusal?: string;
  /** Bytes a second, as of now; absent: without limit. */
  readonly budget?: number;
}
