export { type Concerns, type ConcernsOptions, openConcerns } from './concerns.ts';
export {
  decodeEdgeWrite,
  type EdgePlan,
  type EdgeWrite,
  foreignField,
  isMadeAtEdge,
  type LocalWrite,
} from './edge-write.ts';
export { collectStrings, parseFieldPath } from './field-path.ts';
export { answerForwarded, type ForwardedOptions, forwardRequest, type OpenStream } from './forward.ts';
export { type IncludedEntries, trackIncluded } from './included.ts';
export { isAtNode } from './links.ts';
export { openReplica, type Replica, type ReplicaOptions } from './open-replica.ts';
export { createOutboxSink, type DroppedEntry, type FieldConflict, type OutboxSinkOptions } from './outbox-sink.ts';
export { createStateFeed, type StateFeedOptions } from './state-feed.ts';
export { edgeWritePolicy } from './write-policy.ts';
