export type { AccessHooks, PolicyRule, RoleRef, RoleWrite } from './access-hooks.ts';
export { type ApiServer, type ApiServerOptions, createApiServer } from './api-server.ts';
export { builtinKinds } from './builtin-kinds.ts';
export { ConnectionLimiter } from './connection-limiter.ts';
export type { ApiRequest, ApiResponse, UpgradeRequest } from './contract.ts';
export { AdmissionPending, type AdmissionStep, type Admitted, type Engine } from './engine.ts';
export {
  type HttpsOptions,
  type Listener,
  listenHttps,
  listenUnix,
  type ServeOptions,
  type TlsMaterial,
  type UnixOptions,
} from './http.ts';
export { DEFAULT_LIMITS, type HttpLimits } from './limits.ts';
export type { ExtraPath, HealthCheck } from './paths.ts';
export { RateLimiter } from './rate-limiter.ts';
export type { PlannedWrite, ReplicaHooks } from './replica-writes.ts';
export { ResourceTable, type ServedKind } from './resource-table.ts';
export { kubeletVersion } from './version.ts';
export { type VirtualKind, type VirtualRead, virtualKind } from './virtual.ts';
