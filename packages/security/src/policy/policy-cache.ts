/** Roles and bindings in memory, as informers or the store report them: what the authorizer reads. */
import type { KubeObject } from '@skerry/api';
import { type LabelSelector, selectorFromObject } from '@skerry/api/selectors';
import { type PolicyRule, RBAC_GROUP, type RbacSubject, type RoleRef } from './rules.ts';

export interface Role {
  readonly name: string;
  readonly namespace?: string;
  readonly rules: readonly PolicyRule[];
}

export interface Binding {
  readonly name: string;
  readonly namespace?: string;
  readonly subjects: readonly RbacSubject[];
  readonly roleRef: RoleRef;
}

/** Everything synchronous: a decision never waits. */
export interface PolicyReader {
  /** Differs after every change of any role or binding. */
  readonly version: number;
  getRole(namespace: string, name: string): Role | undefined;
  getClusterRole(name: string): Role | undefined;
  listRoleBindings(namespace: string): Iterable<Binding>;
  listClusterRoleBindings(): Iterable<Binding>;
}

export interface PolicyCache extends PolicyReader {
  /** Takes a Role, ClusterRole, RoleBinding or ClusterRoleBinding; other kinds are ignored. */
  put(object: KubeObject): void;
  remove(object: Pick<KubeObject, 'kind' | 'metadata'>): void;
}

interface ClusterRoleEntry extends Role {
  readonly labels: Readonly<Record<string, string>>;
  readonly selectors: readonly LabelSelector[];
}

export function createPolicyCache(initial: Iterable<KubeObject> = []): PolicyCache {
  const roles = new Map<string, Role>();
  const clusterRoles = new Map<string, ClusterRoleEntry>();
  const roleBindings = new Map<string, Map<string, Binding>>();
  const clusterRoleBindings = new Map<string, Binding>();
  // Effective rules of aggregated roles; any change of any ClusterRole may change them.
  const effective = new Map<string, Role>();
  let version = 0;

  const put = (object: KubeObject): void => {
    const { name = '', namespace = '' } = object.metadata;
    switch (object.kind) {
      case 'Role':
        roles.set(`${namespace}/${name}`, { name, namespace, rules: rulesOf(object) });
        break;
      case 'ClusterRole':
        clusterRoles.set(name, toClusterRole(name, object));
        effective.clear();
        break;
      case 'RoleBinding':
        (roleBindings.get(namespace) ?? insert(roleBindings, namespace)).set(name, {
          ...toBinding(object),
          name,
          namespace,
        });
        break;
      case 'ClusterRoleBinding':
        clusterRoleBindings.set(name, { ...toBinding(object), name });
        break;
      default:
        return;
    }
    version++;
  };
  for (const object of initial) put(object);

  return {
    get version() {
      return version;
    },
    put,
    remove: ({ kind, metadata: { name = '', namespace = '' } }) => {
      if (kind === 'Role') roles.delete(`${namespace}/${name}`);
      if (kind === 'ClusterRole') clusterRoles.delete(name);
      effective.clear();
      if (kind === 'RoleBinding') roleBindings.get(namespace)?.delete(name);
      if (kind === 'ClusterRoleBinding') clusterRoleBindings.delete(name);
      version++;
    },
    getRole: (namespace, name) => roles.get(`${namespace}/${name}`),
    getClusterRole: (name) => {
      const role = clusterRoles.get(name);
      if (!role?.selectors.length) return role;
      const known = effective.get(name) ?? { ...role, rules: aggregate(role, clusterRoles.values()) };
      effective.set(name, known);
      return known;
    },
    listRoleBindings: (namespace) => roleBindings.get(namespace)?.values() ?? [],
    listClusterRoleBindings: () => clusterRoleBindings.values(),
  };
}

/** The rules that an aggregated ClusterRole shows: those of every ClusterRole that its selectors choose, in name order. */
export function aggregatedRules(role: KubeObject, all: Iterable<KubeObject>): readonly PolicyRule[] {
  const entries = Array.from(all, (object) => toClusterRole(object.metadata.name ?? '', object));
  return aggregate(toClusterRole(role.metadata.name ?? '', role), entries);
}

/** Aggregated roles may choose aggregated roles, as admin does edit and edit does view; a circle adds nothing. */
function aggregate(
  role: ClusterRoleEntry,
  all: Iterable<ClusterRoleEntry>,
  seen: ReadonlySet<string> = new Set(),
): readonly PolicyRule[] {
  if (role.selectors.length === 0) return role.rules;
  const entries = [...all];
  const path = new Set([...seen, role.name]);
  return entries
    .filter(({ name, labels }) => !path.has(name) && role.selectors.some((selector) => selector.matches(labels)))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((other) => aggregate(other, entries, path));
}

function toClusterRole(name: string, object: KubeObject): ClusterRoleEntry {
  const aggregation = object.aggregationRule as { clusterRoleSelectors?: readonly object[] } | undefined;
  const selectors = (aggregation?.clusterRoleSelectors ?? []).map(selectorFromObject);
  return { name, rules: rulesOf(object), labels: object.metadata.labels ?? {}, selectors };
}

function rulesOf(object: KubeObject): readonly PolicyRule[] {
  return (object.rules as readonly PolicyRule[] | null | undefined) ?? [];
}

function toBinding(object: KubeObject): { subjects: readonly RbacSubject[]; roleRef: RoleRef } {
  const subjects = (object.subjects as readonly RbacSubject[] | null | undefined) ?? [];
  return {
    subjects,
    roleRef: (object.roleRef as RoleRef | undefined) ?? { kind: 'Role', name: '', apiGroup: RBAC_GROUP },
  };
}

function insert(bindings: Map<string, Map<string, Binding>>, namespace: string): Map<string, Binding> {
  const inner = new Map<string, Binding>();
  bindings.set(namespace, inner);
  return inner;
}
