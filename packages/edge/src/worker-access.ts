/** What the data worker may do at the node's API: see what it drives and runs, and what that names, and say how it is. Nothing of the pods. */
import { randomBytes } from 'node:crypto';
import type { Attributes, Authorizer, Decision, KubeObject, ResourceRow, UserInfo } from '@skerry/api';
import { DEVICES_GROUP } from '@skerry/devices/supervision';
import { collectStrings, parseFieldPath } from '@skerry/kube/replica';
import { keyPrefix, type Store } from '@skerry/kube/store';
import { STREAMS_GROUP } from '@skerry/streams/supervision';

export const DATA_WORKER: UserInfo = {
  username: 'system:skerry:data-worker',
  groups: ['system:skerry:workers', 'system:authenticated'],
};

/** Known to this run of the agent and the worker it starts, and written nowhere. */
export function newWorkerToken(): string {
  return randomBytes(32).toString('base64url');
}

export interface WorkerAccessOptions {
  readonly store: Store;
  readonly rows: () => readonly ResourceRow[];
}

type Resource = NonNullable<Attributes['resource']>;

const OWN_GROUPS: readonly string[] = [DEVICES_GROUP, STREAMS_GROUP];
const READ = new Set(['get', 'list', 'watch']);
const CHANGE = new Set(['update', 'patch']);
const NO_OPINION: Decision = { allowed: false };

export function workerAuthorizer(options: WorkerAccessOptions): Authorizer {
  return {
    authorize: ({ user, verb, resource }) =>
      user.username === DATA_WORKER.username && resource !== undefined && mayDo(options, verb, resource)
        ? { allowed: true, reason: 'data worker' }
        : NO_OPINION,
  };
}

function mayDo(options: WorkerAccessOptions, verb: string, resource: Resource): boolean {
  if (OWN_GROUPS.includes(resource.group)) return mayOnOwn(verb, resource);
  const kind = `${resource.group}/${resource.resource}`;
  if (kind === '/events') return verb === 'create' || verb === 'patch';
  return (kind === '/secrets' || kind === '/configmaps') && verb === 'get' && isNamed(options, resource);
}

function mayOnOwn(verb: string, { resource, subresource = '' }: Resource): boolean {
  if (subresource === 'status') return CHANGE.has(verb);
  if (subresource !== '') return false;
  return READ.has(verb) || (verb === 'create' && resource === 'deviceproposals');
}

/** Whether an object of the worker's groups names it, by the relations that brought it to this node. */
function isNamed({ store, rows }: WorkerAccessOptions, { resource, namespace = '', name }: Resource): boolean {
  if (name === undefined) return false;
  return rows().some(({ gvr, relations }) => {
    if (!OWN_GROUPS.includes(gvr.group)) return false;
    const paths = relations.flatMap(({ to, namePaths }) => (to.resource === resource ? namePaths : []));
    if (paths.length === 0) return false;
    const { items } = store.list(keyPrefix(gvr.group, gvr.resource, namespace));
    return items.some(({ json }) => namesAt(JSON.parse(json) as KubeObject, paths).includes(name));
  });
}

function namesAt(object: KubeObject, paths: readonly string[]): readonly string[] {
  const names: string[] = [];
  for (const path of paths) collectStrings(object, parseFieldPath(path), names);
  return names;
}
