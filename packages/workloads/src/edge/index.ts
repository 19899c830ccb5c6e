/** The node's half of workloads: the pod controller, its runtimes, the streams to what runs, and the Node object. */

export { serveMetrics } from '../usage/metrics-kinds.ts';
export { nodeUsage } from '../usage/node-usage.ts';
export { createEvictionManager, type EvictionManager, type EvictionOptions } from './eviction/manager.ts';
export {
  type Amount,
  DEFAULT_HARD,
  type EvictionSettings,
  parseGracePeriods,
  parseReclaim,
  parseThresholds,
  thresholdsOf,
} from './eviction/thresholds.ts';
export { createImagePuller } from './image-pull/index.ts';
export { type Accelerators, findAccelerators } from './node/accelerators.ts';
export { createHostAddresses, readHostFacts } from './node/host-facts.ts';
export { createNodeReporter, type NodeReporter, type NodeReporterOptions } from './node/reporter.ts';
export {
  createPodController,
  type NodePods,
  type PodController,
  type PodControllerOptions,
} from './pod/controller.ts';
export { createProcessRuntime, findTools, type ProcessRuntime, type ProcessRuntimeOptions } from './process/runtime.ts';
export type * from './runtime.ts';
export { RuntimeRefusal } from './runtime.ts';
export { createRuntimeSet, type GrowingRuntimeSet, type RuntimeSet } from './runtime-set.ts';
export { API_IN_PODS, API_NAMES_IN_PODS } from './services/api-in-pods.ts';
export { openServiceNetwork, type PodNetwork, type ServiceNetwork } from './services/service-network.ts';
export { createStaticPods, type StaticPods } from './static-pods/static-pods.ts';
export { createNodeStreamHandler, type NodeStreamOptions } from './streams/handler.ts';
export {
  type ConnectOptions,
  connectSupervisor,
  type EnsureOptions,
  ensureSupervisor,
  type SupervisorClient,
} from './supervisor-client.ts';
export type { IssuedToken, TokenRequest } from './volumes/payload.ts';
