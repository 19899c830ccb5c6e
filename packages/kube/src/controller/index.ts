export {
  type Change,
  createInformerFactory,
  type Informer,
  type InformerContext,
  type InformerFactory,
  type InformerOptions,
  startInformer,
} from './informer.ts';
export { formatObjectKey, keyOf, type ObjectName, parseObjectKey } from './key.ts';
export { type IndexValues, ObjectCache, type ObjectLister } from './object-cache.ts';
export { type ReflectorOptions, type ReflectorSink, runReflector, type Selection } from './reflector.ts';
export { compareResourceVersions } from './resource-version.ts';
export {
  type ControllerContext,
  type ControllerSpec,
  DEFAULT_CONCURRENCY,
  type Requeue,
  reading,
  runController,
  type Watch,
  watching,
} from './run-controller.ts';
export { DEFAULT_RETRY, WorkQueue, type WorkQueueOptions } from './work-queue.ts';
