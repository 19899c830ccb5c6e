/** The store of time series: in the data worker of a node and, as the intake of telemetry, in the cloud. */
export { appendWhenReady } from './append-when-ready.ts';
export type {
  Aggregate,
  Appended,
  Labels,
  LastRow,
  Mark,
  Matcher,
  OwnRetention,
  QueryResult,
  RetentionPlan,
  SeriesQuery,
  SeriesResult,
  SeriesRows,
  SeriesStore,
  SeriesStoreOptions,
  StepQuery,
  StoredSeries,
  StoredType,
  StoreLimits,
  StoreStats,
} from './contract.ts';
export { STORED_TYPES } from './contract.ts';
export { openSeriesStore } from './open.ts';
