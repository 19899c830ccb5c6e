/**
 * What a node may do: read what concerns it, write its own Node, lease and status. Which objects concern it is answered by the
 * same relations that feed its replica; this file adds only what is a node's by name.
 */
import type { Attributes, Authorizer, Decision } from '@skerry/api';
import { DISCOVERY_PATH, JWKS_PATH } from '../tokens/index.ts';
import { nodeOf } from './node-name.ts';

export interface ObjectKey {
  readonly group: string;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
}

export interface NodeAuthorizerOptions {
  /** Whether the object is placed on the node or something placed there refers to it. Synchronous, from a cache. */
  readonly concerns: (node: string, key: ObjectKey) => boolean;
  /** Whether the object itself says that it is at the node, by its row's `nodePath`: only then is its status the node's to write. */
  readonly isPlaced: (node: string, key: ObjectKey) => boolean;
  /** Kinds whose objects an edge makes: `origin: edge` in their row. */
  readonly isEdgeOrigin?: (group: string, resource: string) => boolean;
  /** Kinds with fields that an edge writes: `edgeWritable` in their row. Which fields, admission compares. */
  readonly isEdgeWritable?: (group: string, resource: string) => boolean;
}

type Resource = NonNullable<Attributes['resource']>;

const LEASE_NAMESPACE = 'kube-node-lease';

const READ = new Set(['get', 'list', 'watch']);
const WRITE = new Set(['update', 'patch']);

/** Readable in full by every node, as for Kubernetes' kubelets. */
const COMMON_READS: ReadonlySet<string> = new Set([
  '/services',
  'node.k8s.io/runtimeclasses',
  'storage.k8s.io/csidrivers',
  'scheduling.k8s.io/priorityclasses',
]);

/** Reviews that a node asks for on behalf of its own API's clients. */
const COMMON_CREATES: ReadonlySet<string> = new Set([
  'authentication.k8s.io/tokenreviews',
  'authorization.k8s.io/subjectaccessreviews',
  'authorization.k8s.io/localsubjectaccessreviews',
]);

const EVENTS: ReadonlySet<string> = new Set(['/events', 'events.k8s.io/events']);

/** A node verifies the tokens of its pods itself. */
const TOKEN_KEY_PATHS: ReadonlySet<string> = new Set([JWKS_PATH, DISCOVERY_PATH]);

const NO_OPINION: Decision = { allowed: false };
const ALLOWED: Decision = { allowed: true, reason: 'node' };

/** Gives no opinion on users that are not nodes; refuses nodes with the reason. */
export function createNodeAuthorizer(options: NodeAuthorizerOptions): Authorizer {
  return {
    authorize: ({ user, verb, resource, path }) => {
      const node = nodeOf(user);
      if (node === undefined) return NO_OPINION;
      if (!resource) return verb === 'get' && TOKEN_KEY_PATHS.has(path) ? ALLOWED : NO_OPINION;
      if (mayByName(node, verb, resource) || mayByConcern(options, node, verb, resource)) return ALLOWED;
      const what = `${resource.resource}${resource.subresource ? `/${resource.subresource}` : ''}`;
      return { allowed: false, reason: `no relationship found between node '${node}' and this ${what} object` };
    },
  };
}

function mayByName(node: string, verb: string, resource: Resource): boolean {
  const kind = `${resource.group}/${resource.resource}`;
  if (COMMON_READS.has(kind)) return READ.has(verb) && !resource.subresource;
  if (COMMON_CREATES.has(kind)) return verb === 'create';
  if (EVENTS.has(kind)) return verb === 'create' || WRITE.has(verb);
  switch (kind) {
    case '/nodes':
      return mayOnNodes(node, verb, resource);
    case 'coordination.k8s.io/leases':
      return mayOnLease(node, verb, resource);
    case 'storage.k8s.io/csinodes':
      return verb === 'create' || (resource.name === node && (WRITE.has(verb) || verb === 'get' || verb === 'delete'));
    case '/pods':
      return mayOnPods(node, verb, resource);
    default:
      return false;
  }
}

function mayOnNodes(node: string, verb: string, resource: Resource): boolean {
  if (verb === 'create') return !resource.subresource;
  const isOwn = resource.name === node || isSelected(resource, 'metadata.name', node);
  if (READ.has(verb)) return isOwn && !resource.subresource;
  return WRITE.has(verb) && resource.name === node && (!resource.subresource || resource.subresource === 'status');
}

function mayOnLease(node: string, verb: string, { namespace, name }: Resource): boolean {
  if (namespace !== LEASE_NAMESPACE) return false;
  // A create carries no name yet; NodeRestriction compares it with the object's.
  return verb === 'create' || (name === node && (verb === 'get' || verb === 'delete' || WRITE.has(verb)));
}

/** Creation of mirror pods, deletion and eviction are looked at more closely by NodeRestriction, which sees the object. */
function mayOnPods(node: string, verb: string, resource: Resource): boolean {
  switch (resource.subresource) {
    case undefined:
    case '':
      if (verb === 'create' || verb === 'delete') return true;
      return (verb === 'list' || verb === 'watch') && isSelected(resource, 'spec.nodeName', node);
    case 'eviction':
      return verb === 'create';
    default:
      return false;
  }
}

function mayByConcern(
  { concerns, isPlaced, isEdgeOrigin, isEdgeWritable }: NodeAuthorizerOptions,
  node: string,
  verb: string,
  resource: Resource,
): boolean {
  const { group, namespace = '', subresource } = resource;
  if (verb === 'create' && !subresource && isEdgeOrigin?.(group, resource.resource)) return true;
  const name = resource.name ?? selectedName(resource);
  if (name === undefined) return false;
  const key = { group, resource: resource.resource, namespace, name };
  // What concerns a node is mostly others' as well: a definition, a namespace, a service. Their status is not its to say.
  if (WRITE.has(verb) && subresource === 'status') return isPlaced(node, key);
  if (WRITE.has(verb) && !subresource && isEdgeWritable?.(group, resource.resource)) return isPlaced(node, key);
  const isRead = READ.has(verb) && !subresource;
  const isToken = verb === 'create' && subresource === 'token' && resource.resource === 'serviceaccounts';
  return (isRead || isToken) && concerns(node, key);
}

function isSelected(resource: Resource, field: string, value: string): boolean {
  return requirements(resource).includes(`${field}=${value}`);
}

/** A list or watch of one object by name counts as a read of that object. */
function selectedName(resource: Resource): string | undefined {
  const prefix = 'metadata.name=';
  return requirements(resource)
    .find((requirement) => requirement.startsWith(prefix))
    ?.slice(prefix.length);
}

function requirements({ fieldSelector }: Resource): readonly string[] {
  return fieldSelector?.split(',').map((requirement) => requirement.trim().replace('==', '=')) ?? [];
}
