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
export {
  type Connection,
  createHttpClient,
  type HttpClient,
  type HttpClientOptions,
  type UnixConnection,
} from './http.ts';
export { createInProcessClient, type InProcessClientOptions } from './in-process.ts';
export {
  formatKubeconfig,
  type KubeconfigFacts,
  type LoadedKubeconfig,
  type LoadKubeconfigOptions,
  loadKubeconfig,
} from './kubeconfig.ts';
export { createRecorder, type EventType, type Recorder, type RecorderOptions } from './recorder.ts';
export { statusErrorFrom, statusErrorOf } from './status-from.ts';
export type { Transport, WireRequest, WireResponse } from './transport.ts';
