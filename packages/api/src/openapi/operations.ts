/** The operations of one resource, in as few words as clients read: who they are for, what they do, which parameters they take. */
import { subresourceKind } from '../facts/index.ts';
import type { Gvk } from '../names.ts';
import type { ResourceRow, Verb } from '../resource.ts';
import { rootPath } from './names.ts';

export type Operation = Record<string, unknown>;
type Method = 'get' | 'put' | 'post' | 'delete' | 'patch';

interface OperationSpec {
  readonly verb: Verb;
  readonly method: Method;
  /** The word clients look for in `x-kubernetes-action`. */
  readonly action: string;
  readonly parameters: readonly string[];
}

const WRITE = ['dryRun', 'fieldManager', 'fieldValidation'];
const LIST = [
  'labelSelector',
  'fieldSelector',
  'limit',
  'continue',
  'resourceVersion',
  'resourceVersionMatch',
  'timeoutSeconds',
];
const WATCH = ['watch', 'allowWatchBookmarks', 'sendInitialEvents'];
const DELETE = ['dryRun', 'gracePeriodSeconds', 'orphanDependents', 'propagationPolicy'];

const ON_COLLECTION: readonly OperationSpec[] = [
  { verb: 'list', method: 'get', action: 'list', parameters: [...LIST, ...WATCH] },
  { verb: 'create', method: 'post', action: 'post', parameters: WRITE },
  { verb: 'deletecollection', method: 'delete', action: 'deletecollection', parameters: [...DELETE, ...LIST] },
];
const ON_OBJECT: readonly OperationSpec[] = [
  { verb: 'get', method: 'get', action: 'get', parameters: [] },
  { verb: 'update', method: 'put', action: 'put', parameters: WRITE },
  { verb: 'patch', method: 'patch', action: 'patch', parameters: [...WRITE, 'force'] },
  { verb: 'delete', method: 'delete', action: 'delete', parameters: DELETE },
];

const TYPES: Readonly<Record<string, string>> = {
  limit: 'integer',
  timeoutSeconds: 'integer',
  gracePeriodSeconds: 'integer',
  watch: 'boolean',
  allowWatchBookmarks: 'boolean',
  sendInitialEvents: 'boolean',
  orphanDependents: 'boolean',
  force: 'boolean',
};

/** What each subresource answers to. */
export const SUBRESOURCE_VERBS: Readonly<Record<string, readonly Verb[]>> = {
  status: ['get', 'patch', 'update'],
  scale: ['get', 'patch', 'update'],
  approval: ['get', 'patch', 'update'],
  ephemeralcontainers: ['get', 'patch', 'update'],
  resize: ['get', 'patch', 'update'],
  finalize: ['update'],
  binding: ['create'],
  eviction: ['create'],
  token: ['create'],
  log: ['get'],
  attach: ['create', 'get'],
  exec: ['create', 'get'],
  portforward: ['create', 'get'],
  proxy: ['create', 'delete', 'get', 'patch', 'update'],
};

/** How a dialect writes what an operation reads and answers. */
export interface BodyWriter {
  parameter(name: string, type: string): Operation;
  /** Adds the body, where there is one, and the answer. */
  bodies(operation: Operation, method: Method, kind: Gvk): Operation;
}

export function pathsOf(row: ResourceRow, writer: BodyWriter): Record<string, Operation> {
  const root = rootPath(row.gvr);
  const inScope = row.namespaced ? `${root}/namespaces/{namespace}/${row.gvr.resource}` : `${root}/${row.gvr.resource}`;
  const paths: Record<string, Operation> = {};
  const add = (path: string, kind: Gvk, operations: readonly OperationSpec[]) => {
    if (operations.length > 0) paths[path] = pathItem(path, kind, operations, writer);
  };
  const has = ({ verb }: OperationSpec) => row.verbs.includes(verb);
  add(inScope, row.gvk, ON_COLLECTION.filter(has));
  if (row.namespaced)
    add(
      `${root}/${row.gvr.resource}`,
      row.gvk,
      ON_COLLECTION.filter((each) => has(each) && each.verb === 'list'),
    );
  add(`${inScope}/{name}`, row.gvk, ON_OBJECT.filter(has));
  for (const subresource of row.subresources) {
    const verbs = SUBRESOURCE_VERBS[subresource] ?? [];
    const operations = [...ON_OBJECT, ...ON_COLLECTION].filter(({ verb }) => verbs.includes(verb));
    add(`${inScope}/{name}/${subresource}`, subresourceKind(row, subresource), operations);
  }
  return paths;
}

function pathItem(path: string, kind: Gvk, operations: readonly OperationSpec[], writer: BodyWriter): Operation {
  const item: Operation = {};
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? '');
  if (inPath.length > 0) {
    item.parameters = inPath.map((name) => ({ ...writer.parameter(name, 'string'), in: 'path', required: true }));
  }
  for (const { method, action, parameters } of operations) {
    const operation = {
      operationId: operationId(action, kind, path),
      parameters: parameters.map((name) => writer.parameter(name, TYPES[name] ?? 'string')),
      'x-kubernetes-action': action,
      'x-kubernetes-group-version-kind': { group: kind.group, version: kind.version, kind: kind.kind },
    };
    item[method] = writer.bodies(operation, method, kind);
  }
  return item;
}

/** Unique in a document, because a path is. */
function operationId(action: string, kind: Gvk, path: string): string {
  return `${action}${kind.kind}_${path.replace(/\W+/g, '_')}`;
}
