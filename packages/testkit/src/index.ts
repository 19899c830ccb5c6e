export {
  type FactoryBatch,
  type FactoryOptions,
  type FactorySeries,
  factoryPoints,
  factorySeries,
} from './factory-points.ts';
export { type FakeClock, type FakeClockOptions, fakeClock } from './fake-clock.ts';
export { runs } from './runs.ts';
