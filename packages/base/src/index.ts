export { type BackoffPolicy, backoffCeiling, backoffDelay } from './backoff.ts';
export { BoundedQueue } from './bounded-queue.ts';
export { type Clock, MAX_TIMER_MS, sleepOn, systemClock, type Timer } from './clock.ts';
export {
  CodedError,
  defineErrors,
  describeError,
  type ErrorFactory,
  type ErrorSpec,
  type Facts,
  hasCode,
  messageOf,
  type Retry,
} from './errors.ts';
export { EDGE_HEAP_FLAGS } from './heap-flags.ts';
export { newNameSuffix, newUid, type RandomBytes, secureRandom } from './ids.ts';
export { type JsonLoggerOptions, jsonLogger, type LogFields, type Logger, type LogLevel, silentLogger } from './log.ts';
export { type HostProcess, runService, type Service, type ServiceOptions, STOP_LIMIT_MS } from './service-process.ts';
