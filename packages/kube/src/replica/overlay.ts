/** The edge's writes that the cloud's state does not include yet, laid over what comes from the cloud. Pure. */
import type { KubeObject } from '@skerry/api';
import type { EdgeWrite, FieldWrite } from './edge-write.ts';
import { withValue } from './field-path.ts';

/** One write of the edge's that the state may not show yet. */
export interface Unincluded {
  readonly seq: number;
  readonly write: EdgeWrite;
  /** The cloud has it on disk; the state on its way may still be older. */
  readonly isAcknowledged: boolean;
}

/**
 * The object to keep at the edge: spec and metadata are the cloud's, status and edge-written fields the edge's while they
 * are on their way. Undefined when the edge has deleted it and the cloud does not know yet.
 */
export function overlay(fromCloud: KubeObject, writes: Iterable<Unincluded>): KubeObject | undefined {
  let object: KubeObject | undefined = fromCloud;
  for (const { write } of writes) if (isAbout(write, fromCloud)) object = apply(write, object, fromCloud);
  return object;
}

function apply(write: EdgeWrite, object: KubeObject | undefined, fromCloud: KubeObject): KubeObject | undefined {
  switch (write.op) {
    case 'delete':
      return undefined;
    case 'object':
      return withObject(fromCloud, write.object);
    case 'status':
      return object && withStatus(object, write.status);
    case 'fields':
      return object && write.fields.reduce(withField, object);
  }
}

/** False when the object under this name is another one by now. */
export function isAbout(write: EdgeWrite, object: KubeObject): boolean {
  return write.op === 'object' || write.uid === undefined || write.uid === object.metadata.uid;
}

/** The cloud knows more of a node than the node; what else the edge makes is the edge's as a whole, but for its identity. */
function withObject(fromCloud: KubeObject, made: KubeObject): KubeObject {
  if (made.kind === 'Node') return withStatus(fromCloud, made['status']);
  const { uid, creationTimestamp } = fromCloud.metadata;
  return {
    ...made,
    metadata: {
      ...made.metadata,
      ...(uid === undefined ? {} : { uid }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    },
  };
}

function withStatus(object: KubeObject, status: unknown): KubeObject {
  return withValue(object, ['status'], status) as KubeObject;
}

function withField(object: KubeObject, { path, value }: FieldWrite): KubeObject {
  return withValue(object, path, value) as KubeObject;
}
