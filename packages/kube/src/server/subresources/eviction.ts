/** Eviction: a delete that asks the disruption budgets first. */
import type { KubeObject } from '@skerry/api';
import { selectorFromObject } from '@skerry/api/selectors';
import { keyPrefix } from '../../store/key.ts';
import { decodeBody } from '../body.ts';
import type { ApiResponse } from '../contract.ts';
import { deleteObject, deleteOptionsIn } from '../delete.ts';
import type { Call, Engine } from '../engine.ts';
import { isRecord } from '../incoming.ts';
import { toServedObject } from '../object-text.ts';
import { respondJson } from '../respond.ts';
import { badRequest, methodNotAllowed, success, tooManyRequests } from '../statuses.ts';
import { findForWrite } from '../update.ts';
import { parseWriteOptions } from '../write-options.ts';

export async function evict(engine: Engine, call: Call): Promise<ApiResponse> {
  if (call.route.verb !== 'create') throw methodNotAllowed();
  const { dryRun } = parseWriteOptions(call.request, 'CreateOptions');
  const { value } = decodeBody(call.request, engine.parseYaml);
  if (!isRecord(value)) throw badRequest('the object provided is unrecognized (must be of type Eviction)');
  const stored = findForWrite(engine, call, 'update');
  const options = deleteOptionsIn(isRecord(value['deleteOptions']) ? value['deleteOptions'] : {});
  checkBudgets(engine, toServedObject(stored));
  await deleteObject(engine, call, stored, { ...options, dryRun: dryRun || options.dryRun });
  return respondJson(201, success({ code: 201 }), call.wanted);
}

interface Budget {
  readonly spec?: { readonly selector?: unknown };
  readonly status?: { readonly disruptionsAllowed?: number };
}

/** Pods that have ended, or were never ready to run, disturb nobody. */
function checkBudgets(engine: Engine, pod: KubeObject): void {
  const { phase } = (pod['status'] ?? {}) as { phase?: string };
  if (phase === 'Succeeded' || phase === 'Failed' || phase === 'Pending') return;
  const { items } = engine.store.list(keyPrefix('policy', 'poddisruptionbudgets', pod.metadata.namespace ?? ''));
  for (const item of items) {
    const budget = toServedObject(item) as KubeObject & Budget;
    if (!selectorFromObject(budget.spec?.selector).matches(pod.metadata.labels)) continue;
    if ((budget.status?.disruptionsAllowed ?? 0) > 0) continue;
    throw tooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 10);
  }
}
