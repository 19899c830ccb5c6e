/** Eviction: a delete that asks the disruption budgets first. */
import type { KubeObject } from '@skerry/api';
import type { Pod } from '@skerry/api/types';
import type { StoredObject } from '../../store/contract.ts';
import { reviewObject } from '../admission/review/review.ts';
import { decodeBody } from '../body.ts';
import type { ApiResponse } from '../contract.ts';
import { checkDelete, deleteChecked, deleteOptionsIn } from '../delete.ts';
import { type Call, type Engine, nameOf, nowText } from '../engine.ts';
import { isRecord } from '../incoming.ts';
import { toServedObject, toStoredJson } from '../object-text.ts';
import { respondJson } from '../respond.ts';
import { badRequest, methodNotAllowed, success } from '../statuses.ts';
import { findForWrite } from '../update.ts';
import { optionsObject, parseWriteOptions } from '../write-options.ts';
import { takeFromBudget } from './disruption-budget.ts';

const EVICTION = { group: 'policy', version: 'v1', kind: 'Eviction' };

export async function evict(engine: Engine, call: Call): Promise<ApiResponse> {
  if (call.route.verb !== 'create') throw methodNotAllowed();
  const write = parseWriteOptions(call.request, 'CreateOptions');
  const { value } = decodeBody(call.request, engine.parseYaml);
  if (!isRecord(value)) throw badRequest('the object provided is unrecognized (must be of type Eviction)');
  const stored = findForWrite(engine, call, 'update');
  const options = deleteOptionsIn(isRecord(value['deleteOptions']) ? value['deleteOptions'] : {});
  const dryRun = write.dryRun || options.dryRun;
  // Before anything is written: an eviction that is refused leaves no trace.
  reviewObject(engine, call, {
    operation: 'CREATE',
    gvk: EVICTION,
    object: evictionOf(call, value),
    options: optionsObject(write, 'CreateOptions'),
    dryRun,
  });
  checkDelete(engine, call, stored, { ...options, dryRun }, true);
  const pod = toServedObject(stored) as Pod;
  await takeFromBudget(engine, pod, dryRun);
  const marked = dryRun ? stored : await markDisrupted(engine, stored, pod);
  await deleteChecked(engine, call, marked, { ...options, dryRun });
  return respondJson(201, success({ code: 201 }), call.wanted);
}

/** The Eviction as it was sent, in its place. */
function evictionOf(call: Call, value: Record<string, unknown>): KubeObject {
  const metadata = isRecord(value['metadata']) ? value['metadata'] : {};
  return {
    ...value,
    apiVersion: 'policy/v1',
    kind: 'Eviction',
    metadata: { ...metadata, name: nameOf(call.route), namespace: call.route.namespace ?? '' },
  };
}

/** The pod says why it ends, for those who count failures. */
async function markDisrupted(engine: Engine, stored: StoredObject, pod: Pod): Promise<StoredObject> {
  if (pod.metadata.deletionTimestamp !== undefined) return stored;
  const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== 'DisruptionTarget');
  const condition = {
    type: 'DisruptionTarget',
    status: 'True',
    reason: 'EvictionByEvictionAPI',
    message: 'Eviction API: evicting',
    lastTransitionTime: nowText(engine.clock),
  };
  const marked: KubeObject = { ...pod, status: { ...pod.status, conditions: [...others, condition] } };
  return engine.store.put(stored.key, toStoredJson(marked), { ifRevision: stored.revision });
}
