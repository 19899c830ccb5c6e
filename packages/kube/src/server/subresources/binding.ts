/** Binding: how a scheduler puts a pod on a node, once. */
import type { KubeObject } from '@skerry/api';
import { reviewObject } from '../admission/review/review.ts';
import { decodeBody } from '../body.ts';
import type { ApiResponse } from '../contract.ts';
import { type Call, type Engine, fault, groupResource, nameOf, nowText } from '../engine.ts';
import { isRecord } from '../incoming.ts';
import { toServedObject } from '../object-text.ts';
import { respondJson } from '../respond.ts';
import { badRequest, conflict, invalid, methodNotAllowed, success } from '../statuses.ts';
import { findForWrite, updateObject } from '../update.ts';
import { optionsObject, parseWriteOptions } from '../write-options.ts';

const BINDING = { group: '', version: 'v1', kind: 'Binding' };

/** `call` is for the pod; the body is a Binding. */
export async function bind(engine: Engine, call: Call): Promise<ApiResponse> {
  if (call.route.verb !== 'create') throw methodNotAllowed();
  const options = parseWriteOptions(call.request, 'CreateOptions');
  const { value } = decodeBody(call.request, engine.parseYaml);
  if (!isRecord(value)) throw badRequest('the object provided is unrecognized (must be of type Binding)');
  const metadata = isRecord(value['metadata']) ? value['metadata'] : {};
  const node = nodeOf(value, nameOf(call.route));
  const stored = findForWrite(engine, call, 'update');
  const pod = toServedObject(stored);
  checkBindable(call, pod, metadata['uid']);
  reviewObject(engine, call, {
    operation: 'CREATE',
    gvk: BINDING,
    object: { ...value, apiVersion: 'v1', kind: 'Binding', metadata },
    options: optionsObject(options, 'CreateOptions'),
    dryRun: options.dryRun,
  });
  const object = bound(engine, pod, node, metadata['annotations']);
  await updateObject(engine, call, { stored, object, options, isReviewed: true });
  return respondJson(201, success({ code: 201 }), call.wanted);
}

function nodeOf({ target }: Record<string, unknown>, pod: string): string {
  const { kind, name } = isRecord(target) ? target : {};
  if (kind !== undefined && kind !== '' && kind !== 'Node') {
    const text = `Unsupported value: ${JSON.stringify(kind)}: supported values: "Node", "<empty>"`;
    throw invalid(BINDING, pod, [fault('FieldValueNotSupported', 'target.kind', text)]);
  }
  if (typeof name !== 'string' || name === '') {
    throw invalid(BINDING, pod, [fault('FieldValueRequired', 'target.name', 'Required value')]);
  }
  return name;
}

function checkBindable(call: Call, pod: KubeObject, uid: unknown): void {
  const of = groupResource(call.kind);
  const name = nameOf(call.route);
  if (uid !== undefined && uid !== '' && uid !== pod.metadata.uid) {
    throw conflict(
      of,
      name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid}`,
    );
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    throw conflict(of, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  }
  const { nodeName } = (pod['spec'] ?? {}) as { nodeName?: string };
  if (nodeName !== undefined && nodeName !== '') {
    throw conflict(of, name, `pod ${name} is already assigned to node ${JSON.stringify(nodeName)}`);
  }
}

function bound(engine: Engine, pod: KubeObject, nodeName: string, annotations: unknown): KubeObject {
  const status = (pod['status'] ?? {}) as { conditions?: { type: string }[] };
  const others = (status.conditions ?? []).filter(({ type }) => type !== 'PodScheduled');
  const condition = {
    type: 'PodScheduled',
    status: 'True',
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    lastProbeTime: null,
    lastTransitionTime: nowText(engine.clock),
  };
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      ...(isRecord(annotations)
        ? { annotations: { ...pod.metadata.annotations, ...annotations } as Record<string, string> }
        : {}),
    },
    spec: { ...(pod['spec'] as object), nodeName },
    status: { ...status, conditions: [...others, condition] },
  };
}
