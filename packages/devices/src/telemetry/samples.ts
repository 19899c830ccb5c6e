/** What `GET /samples` at the data worker says, a JSON object a line, and of which devices. */

/** Where several processes share the devices of a namespace: which part is one's own. */
export interface Share {
  /** From 0 on. */
  readonly index: number;
  readonly of: number;
}

/** Decided by its name alone, so that everybody knows without asking. */
export function isInShare(device: string, { index, of }: Share): boolean {
  return hashOf(device) % of === index;
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

export interface SampleLine {
  /** A number that stands for it from here on; said again when the device was planned anew. */
  readonly series?: SampleSeries;
  readonly rows?: SampleRows;
  readonly event?: SampleEvent;
  /** Samples that were lost because this stream was not read in time. */
  readonly dropped?: number;
}

export interface SampleSeries {
  readonly id: number;
  readonly namespace: string;
  readonly device: string;
  readonly property: string;
}

/** Columns of the same length. */
export interface SampleRows {
  readonly series: number[];
  /** Milliseconds since 1970. */
  readonly times: number[];
  /** JSON of the value; bool as 0 and 1, a time as milliseconds since 1970; null where there is none. */
  readonly values: unknown[];
  /** See `Quality`. */
  readonly qualities: number[];
}

export interface SampleEvent {
  readonly namespace: string;
  readonly device: string;
  readonly event: string;
  readonly time: number;
  readonly fields: Readonly<Record<string, string>>;
}
