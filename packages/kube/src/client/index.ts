export { clientOver, MAX_RESPONSE_BYTES, MAX_WATCH_LINE_BYTES } from './client-over.ts';
export type {
  Client,
  DeleteOptions,
  ListOptions,
  PatchOptions,
  PatchType,
  ReadOptions,
  WatchOptions,
  WriteOptions,
} from './contract.ts';
export { errors } from './errors.ts';
export { createInProcessClient, type InProcessClientOptions } from './in-process.ts';
export { statusErrorFrom, statusErrorOf } from './status-from.ts';
export type { Transport, WireRequest, WireResponse } from './transport.ts';
