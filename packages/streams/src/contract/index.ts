/** How values travel inside a node: in columns, over a bus, and the last of each kept. What devices and streams agree on. */
export { type Batch, BatchBuilder, type Boxed, MAX_BATCH_ROWS, type Scalar, valueAt } from './batch.ts';
export { type Bus, createBus, type Subscription, type SubscriptionOptions } from './bus.ts';
export { type LastSample, LastValues } from './last-values.ts';
export { isBad, isGood, Quality, type Severity, severityOf } from './quality.ts';
export { type Series, type SeriesId, SeriesTable } from './series.ts';
