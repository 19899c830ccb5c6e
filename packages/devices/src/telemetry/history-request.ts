/** What a data worker is asked about the past of a property, and what it answers. */

/** Of the worker's POST. */
export const HISTORY_PATH = '/history';

/** So many are answered at once. */
export const MAX_HISTORY_VALUES = 10_000;

export interface DeviceHistoryRequest {
  readonly namespace: string;
  readonly device: string;
  readonly property: string;
  /** Milliseconds since 1970, both. */
  readonly from: number;
  readonly to: number;
  readonly limit: number;
}

export interface HistoryValue {
  readonly time: string;
  /** As JSON; absent where there is none. */
  readonly value?: unknown;
  readonly quality: 'Good' | 'Uncertain' | 'Bad';
}

export interface HistoryAnswer {
  readonly values: readonly HistoryValue[];
}
