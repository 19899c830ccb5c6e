/** For tests: what a session tells. */
import type { RawValue } from '../../../../values/encoding.ts';
import type { SampleSink } from '../../../driver.ts';
import type { DriverError } from '../../../driver-error.ts';

export interface Seen extends SampleSink {
  readonly seen: { readonly index: number; readonly value: RawValue | DriverError; readonly time?: number }[];
}

export function recorder(): Seen {
  const seen: Seen['seen'] = [];
  return {
    seen,
    value: (index, value, time) => void seen.push({ index, value, ...(time === undefined ? {} : { time }) }),
    fail: (index, value) => void seen.push({ index, value }),
  };
}
