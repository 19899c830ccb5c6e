/** Options of calls as the query parameters and bodies that Kubernetes defines for them. */
import type { DeleteOptions, ListOptions, PatchOptions, PatchType, WatchOptions, WriteOptions } from './contract.ts';

export function listQuery(options: ListOptions): URLSearchParams {
  return queryOf({
    labelSelector: options.labelSelector,
    fieldSelector: options.fieldSelector,
    resourceVersion: options.resourceVersion,
    resourceVersionMatch: options.resourceVersionMatch,
    limit: options.limit,
    continue: options.continue,
  });
}

export function watchQuery(options: WatchOptions): URLSearchParams {
  return queryOf({
    watch: true,
    labelSelector: options.labelSelector,
    fieldSelector: options.fieldSelector,
    resourceVersion: options.resourceVersion,
    allowWatchBookmarks: options.allowWatchBookmarks,
    sendInitialEvents: options.sendInitialEvents,
    resourceVersionMatch: options.sendInitialEvents === true ? 'NotOlderThan' : undefined,
    timeoutSeconds: options.timeoutSeconds,
  });
}

export function writeQuery(options: WriteOptions): URLSearchParams {
  return queryOf({ fieldManager: options.fieldManager, dryRun: options.dryRun === true ? 'All' : undefined });
}

export function patchQuery(options: PatchOptions): URLSearchParams {
  const query = writeQuery(options);
  if (options.type === 'apply' && options.force !== undefined) query.set('force', String(options.force));
  return query;
}

export const patchContentType: Readonly<Record<PatchType, string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

/** The DeleteOptions body; undefined when nothing is asked for, so that the request has none. */
export function deleteBody(options: DeleteOptions): object | undefined {
  const preconditions = dropAbsent({ uid: options.uid, resourceVersion: options.resourceVersion });
  const asked = dropAbsent({
    gracePeriodSeconds: options.gracePeriodSeconds,
    propagationPolicy: options.propagationPolicy,
    preconditions: Object.keys(preconditions).length > 0 ? preconditions : undefined,
  });
  return Object.keys(asked).length > 0 ? { kind: 'DeleteOptions', apiVersion: 'v1', ...asked } : undefined;
}

function queryOf(parameters: Readonly<Record<string, string | number | boolean | undefined>>): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== '') query.set(name, String(value));
  }
  return query;
}

function dropAbsent(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
