/** What rules need of the node’s devices: the half of the worker that drives them gives it. */
import type { Bus, LastValues, SeriesId, SeriesTable } from '../contract/index.ts';

export interface NodeDevice {
  readonly namespace: string;
  readonly name: string;
  readonly model: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly points: readonly { readonly property: string; readonly series: SeriesId }[];
}

export interface DeviceWrite {
  readonly namespace: string;
  readonly device: string;
  /** Who wants it, for people: `rule/NAME`. */
  readonly by: string;
  /** JSON by property. */
  readonly values: Readonly<Record<string, unknown>>;
}

export interface NodeValues {
  readonly bus: Bus;
  readonly series: SeriesTable;
  readonly last: LastValues;
  devices(): readonly NodeDevice[];
  /** Hears of devices that come, change or go; the returned function ends it. */
  onDevices(handler: () => void): () => void;
  /** By property, why a value was not written; nothing for those that were. */
  write(write: DeviceWrite, signal: AbortSignal): Promise<Readonly<Record<string, string>>>;
}
