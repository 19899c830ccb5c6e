/** What one object says about who needs what: pure, from its row and a few rules of the core that no row can say. */
import type { KubeObject, ResourceRow } from '@skerry/api';
import type { StoreKey } from '../store/contract.ts';
import { formatKey, type KeyParts } from '../store/key.ts';
import { collectStrings, type FieldPath, parseFieldPath } from './field-path.ts';

/** An object's part in the graph of concerns. */
export interface Links {
  /** Nodes that the object itself names, or EVERY_NODE. */
  readonly nodes: readonly string[];
  /** Whoever needs this object needs these. */
  readonly targets: readonly StoreKey[];
  /** Whoever needs one of these needs this object. */
  readonly sources: readonly StoreKey[];
}

/** Not a valid node name. */
export const EVERY_NODE = '*';

export const NO_LINKS: Links = { nodes: [], targets: [], sources: [] };

/** A row with its paths taken apart. */
export interface LinkRule {
  readonly row: ResourceRow;
  readonly nodePath: FieldPath | undefined;
  readonly relations: readonly { readonly to: ResourceRow['gvr']; readonly paths: readonly FieldPath[] }[];
  /** Whether links are in the content of the objects; all others need not be parsed. */
  readonly readsContent: boolean;
}

export function linkRule(row: ResourceRow): LinkRule {
  const { nodePath, relations } = row;
  return {
    row,
    nodePath: nodePath === undefined ? undefined : parseFieldPath(nodePath),
    relations: relations.map(({ to, namePaths }) => ({ to, paths: namePaths.filter(isDecided).map(parseFieldPath) })),
    readsContent: nodePath !== undefined || relations.length > 0 || isBinding(row),
  };
}

/** A status is written by the node itself, which must not draw anything to it. */
function isDecided(namePath: string): boolean {
  return !namePath.startsWith('status.');
}

/** Whether the object says itself that it is at the node. */
export function isAtNode({ nodePath }: ResourceRow, object: KubeObject, node: string): boolean {
  if (nodePath === undefined) return false;
  const nodes: string[] = [];
  collectStrings(object, parseFieldPath(nodePath), nodes);
  return nodes.includes(node);
}

/** A relation goes to names only; whether the kind has a namespace is its row's to say. */
export type IsNamespaced = (group: string, resource: string) => boolean;

const RBAC = 'rbac.authorization.k8s.io';
const OWN_GROUP = '.skerry.io';
const NODE_LEASES = 'kube-node-lease';

/** Stands for "a pod of this namespace"; no object has such a key. */
function podsOf(namespace: string): StoreKey {
  return `@pods/${namespace}`;
}

/** `object` may be undefined for kinds without links in their content. */
export function linksOf(
  rule: LinkRule,
  at: KeyParts,
  object: KubeObject | undefined,
  isNamespaced: IsNamespaced,
): Links {
  const { row } = rule;
  const fromKey = linksOfKey(row, at);
  if (object === undefined) return fromKey;
  const binding = isBinding(row) ? linksOfBinding(at, object) : NO_LINKS;
  const nodes: string[] = [];
  if (rule.nodePath !== undefined) collectStrings(object, rule.nodePath, nodes);
  // What names its nodes concerns those and no other, wherever else there are pods of its namespace.
  const followed = nodes.length > 0 ? [] : [...fromKey.sources, ...owningPods(row, at, object)];
  return {
    nodes: unique([...fromKey.nodes, ...binding.nodes, ...nodes]),
    targets: unique([
      ...binding.targets,
      ...relationTargets(rule, at, object, isNamespaced),
      ...(nodes.length > 0 ? neighbourhood(row, at) : []),
    ]),
    sources: unique([...followed, ...binding.sources]),
  };
}

function linksOfKey({ gvr: { group, resource } }: ResourceRow, { namespace, name }: KeyParts): Links {
  const kind = `${group}/${resource}`;
  switch (kind) {
    case 'coordination.k8s.io/leases':
      return namespace === NODE_LEASES ? { ...NO_LINKS, nodes: [name] } : NO_LINKS;
    case '/services':
      // The API itself, which pods of every namespace ask for.
      return namespace === 'default' && name === 'kubernetes'
        ? { ...NO_LINKS, nodes: [EVERY_NODE] }
        : { ...NO_LINKS, sources: [podsOf(namespace)] };
    case 'discovery.k8s.io/endpointslices':
      return { ...NO_LINKS, sources: [podsOf(namespace)] };
    case 'node.k8s.io/runtimeclasses':
    case 'link.skerry.io/linkpolicies':
      return { ...NO_LINKS, nodes: [EVERY_NODE] };
    case 'apiextensions.k8s.io/customresourcedefinitions':
      return name.endsWith(OWN_GROUP) ? { ...NO_LINKS, nodes: [EVERY_NODE] } : NO_LINKS;
    default:
      return NO_LINKS;
  }
}

/** What surrounds an object that is at a node: its namespace, and for pods what programs in it see. */
function neighbourhood({ gvr, namespaced }: ResourceRow, { namespace }: KeyParts): StoreKey[] {
  if (!namespaced) return [];
  const around = [formatKey({ group: '', resource: 'namespaces', namespace: '', name: namespace })];
  if (gvr.group !== '' || gvr.resource !== 'pods') return around;
  const rootCa = formatKey({ group: '', resource: 'configmaps', namespace, name: 'kube-root-ca.crt' });
  return [...around, podsOf(namespace), rootCa];
}

function relationTargets(
  { relations }: LinkRule,
  { namespace }: KeyParts,
  object: KubeObject,
  isNamespaced: IsNamespaced,
): StoreKey[] {
  const targets: StoreKey[] = [];
  for (const { to, paths } of relations) {
    const names: string[] = [];
    for (const path of paths) collectStrings(object, path, names);
    if (names.length === 0) continue;
    const { group, resource } = to;
    const within = isNamespaced(group, resource) ? namespace : '';
    for (const name of names) targets.push(formatKey({ group, resource, namespace: within, name }));
  }
  return targets;
}

/** A claim that was made for a pod goes where the pod is, which does not name it. */
function owningPods({ gvr }: ResourceRow, { namespace }: KeyParts, { metadata }: KubeObject): StoreKey[] {
  if (gvr.group !== '' || gvr.resource !== 'persistentvolumeclaims') return [];
  const pods = (metadata.ownerReferences ?? []).filter(({ apiVersion, kind }) => apiVersion === 'v1' && kind === 'Pod');
  return pods.map(({ name }) => formatKey({ group: '', resource: 'pods', namespace, name }));
}

function isBinding({ gvr: { group, resource } }: ResourceRow): boolean {
  return group === RBAC && (resource === 'rolebindings' || resource === 'clusterrolebindings');
}

interface Subject {
  readonly kind?: unknown;
  readonly name?: unknown;
  readonly namespace?: unknown;
}

/** A binding goes where the service accounts that it names are, and takes its role along. */
function linksOfBinding({ namespace }: KeyParts, object: KubeObject): Links {
  const subjects = (Array.isArray(object['subjects']) ? object['subjects'] : []) as readonly (Subject | null)[];
  const role = object['roleRef'] as { readonly kind?: unknown; readonly name?: unknown } | undefined;
  const sources = subjects.flatMap((subject) => sourcesOfSubject(subject ?? {}, namespace));
  const isForAll = sources.includes(EVERY_NODE);
  return {
    nodes: isForAll ? [EVERY_NODE] : [],
    sources: sources.filter((source) => source !== EVERY_NODE),
    targets: typeof role?.name === 'string' ? [roleKey(role.kind, role.name, namespace)] : [],
  };
}

function roleKey(kind: unknown, name: string, namespace: string): StoreKey {
  return kind === 'ClusterRole'
    ? formatKey({ group: RBAC, resource: 'clusterroles', namespace: '', name })
    : formatKey({ group: RBAC, resource: 'roles', namespace, name });
}

const ACCOUNT_USER = 'system:serviceaccount:';
const ACCOUNTS = 'system:serviceaccounts';

function sourcesOfSubject({ kind, name, namespace }: Subject, bindingNamespace: string): StoreKey[] {
  if (typeof name !== 'string') return [];
  if (kind === 'ServiceAccount') {
    return [accountKey(typeof namespace === 'string' && namespace !== '' ? namespace : bindingNamespace, name)];
  }
  if (kind === 'User' && name.startsWith(ACCOUNT_USER)) {
    const [within = '', account = ''] = name.slice(ACCOUNT_USER.length).split(':');
    return [accountKey(within, account)];
  }
  if (kind !== 'Group') return [];
  if (name === ACCOUNTS || name === 'system:authenticated') {
    return [bindingNamespace === '' ? EVERY_NODE : podsOf(bindingNamespace)];
  }
  return name.startsWith(`${ACCOUNTS}:`) ? [podsOf(name.slice(ACCOUNTS.length + 1))] : [];
}

function accountKey(namespace: string, name: string): StoreKey {
  return formatKey({ group: '', resource: 'serviceaccounts', namespace, name });
}

/** What only the node writes need not come back to it: its lease, its events. */
export function isFed(key: StoreKey): boolean {
  return !UNFED.some((prefix) => key.startsWith(prefix));
}

const UNFED = ['coordination.k8s.io/leases/', '/events/', 'events.k8s.io/events/'];

function unique(texts: readonly string[]): readonly string[] {
  return texts.length < 2 ? texts : [...new Set(texts)];
}
