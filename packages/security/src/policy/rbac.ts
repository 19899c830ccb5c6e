/**
 * The RBAC authorizer. What a user may do is compiled once into a look-up by verb and resource, and kept until any role or
 * binding changes; a decision is then a handful of map look-ups.
 */
import type { Attributes, Authorizer, Decision, UserInfo } from '@skerry/api';
import { SERVICE_ACCOUNT_PREFIX } from '../tokens/claims.ts';
import type { Binding, PolicyReader } from './policy-cache.ts';
import { type PolicyRule, type RbacSubject, urlMatches } from './rules.ts';

export interface RbacAuthorizer extends Authorizer {
  /** Every rule that holds for the user in the namespace: for escalation checks and SelfSubjectRulesReview. */
  rulesFor(user: UserInfo, namespace: string | undefined): readonly PolicyRule[];
}

/** Users whose compiled rules are kept; beyond it all are forgotten at once and compiled anew. */
const CACHED_USERS = 4096;

interface Grant {
  readonly groups: ReadonlySet<string>;
  /** Absent: any name. */
  readonly names?: ReadonlySet<string>;
  readonly because: string;
}

interface Compiled {
  readonly rules: readonly PolicyRule[];
  /** By `verb|resource` with either possibly `*`, and the resource possibly with a subresource. */
  readonly grants: ReadonlyMap<string, readonly Grant[]>;
  readonly urls: readonly { readonly verbs: ReadonlySet<string>; readonly pattern: string; readonly because: string }[];
  /** Why rules that were bound are not here. */
  readonly missing?: string;
}

interface CompiledUser {
  readonly cluster: Compiled;
  readonly namespaces: Map<string, Compiled>;
}

export function createRbacAuthorizer(reader: PolicyReader): RbacAuthorizer {
  let version = -1;
  let byObject = new WeakMap<UserInfo, CompiledUser>();
  const byName = new Map<string, CompiledUser>();

  const compiledUser = (user: UserInfo): CompiledUser => {
    if (version !== reader.version) {
      version = reader.version;
      byObject = new WeakMap();
      byName.clear();
    }
    const known = byObject.get(user);
    if (known) return known;
    const key = `${user.username}\n${user.groups.join('\n')}`;
    const compiled = byName.get(key) ?? { cluster: compileCluster(reader, user), namespaces: new Map() };
    if (byName.size >= CACHED_USERS) byName.clear();
    byName.set(key, compiled);
    byObject.set(user, compiled);
    return compiled;
  };

  const inNamespace = (user: UserInfo, compiled: CompiledUser, namespace: string): Compiled => {
    const known = compiled.namespaces.get(namespace);
    if (known) return known;
    const made = compileNamespace(reader, user, namespace);
    compiled.namespaces.set(namespace, made);
    return made;
  };

  return {
    authorize: (attributes) => {
      const { user, resource } = attributes;
      const compiled = compiledUser(user);
      if (!resource) return allowUrl(compiled.cluster, attributes.verb, attributes.path);
      const because = findGrant(compiled.cluster, attributes.verb, resource);
      if (because !== undefined) return { allowed: true, reason: because };
      if (!resource.namespace) return refuse(compiled.cluster.missing);
      const local = inNamespace(user, compiled, resource.namespace);
      const localBecause = findGrant(local, attributes.verb, resource);
      if (localBecause !== undefined) return { allowed: true, reason: localBecause };
      return refuse(compiled.cluster.missing ?? local.missing);
    },
    rulesFor: (user, namespace) => {
      const compiled = compiledUser(user);
      return namespace
        ? [...compiled.cluster.rules, ...inNamespace(user, compiled, namespace).rules]
        : compiled.cluster.rules;
    },
  };
}

function refuse(reason: string | undefined): Decision {
  return reason === undefined ? REFUSED : { allowed: false, reason };
}

const REFUSED: Decision = { allowed: false };

function findGrant(
  { grants }: Compiled,
  verb: string,
  resource: NonNullable<Attributes['resource']>,
): string | undefined {
  const { subresource } = resource;
  const full = subresource ? `${resource.resource}/${subresource}` : resource.resource;
  const anyOwner = subresource ? `*/${subresource}` : undefined;
  for (const word of verb === '*' ? ['*'] : [verb, '*']) {
    const because =
      pick(grants.get(`${word}|${full}`), resource) ??
      pick(grants.get(`${word}|*`), resource) ??
      (anyOwner === undefined ? undefined : pick(grants.get(`${word}|${anyOwner}`), resource));
    if (because !== undefined) return because;
  }
  return undefined;
}

function pick(
  grants: readonly Grant[] | undefined,
  { group, name }: { group: string; name?: string },
): string | undefined {
  if (!grants) return undefined;
  for (const { groups, names, because } of grants) {
    if ((groups.has(group) || groups.has('*')) && (!names || (name !== undefined && names.has(name)))) return because;
  }
  return undefined;
}

function allowUrl({ urls, missing }: Compiled, verb: string, path: string): Decision {
  const match = urls.find(({ verbs, pattern }) => (verbs.has(verb) || verbs.has('*')) && urlMatches(pattern, path));
  return match ? { allowed: true, reason: match.because } : refuse(missing);
}

function compileCluster(reader: PolicyReader, user: UserInfo): Compiled {
  return compile(user, reader.listClusterRoleBindings(), ({ roleRef }) => reader.getClusterRole(roleRef.name)?.rules);
}

function compileNamespace(reader: PolicyReader, user: UserInfo, namespace: string): Compiled {
  return compile(user, reader.listRoleBindings(namespace), ({ roleRef: { kind, name } }) => {
    const role = kind === 'ClusterRole' ? reader.getClusterRole(name) : reader.getRole(namespace, name);
    return role?.rules;
  });
}

function compile(
  user: UserInfo,
  bindings: Iterable<Binding>,
  rulesOf: (binding: Binding) => readonly PolicyRule[] | undefined,
): Compiled {
  const groups = new Set(user.groups);
  const held: PolicyRule[] = [];
  const grants = new Map<string, Grant[]>();
  const urls: { verbs: ReadonlySet<string>; pattern: string; because: string }[] = [];
  let missing: string | undefined;
  for (const binding of bindings) {
    const subject = binding.subjects.find((candidate) =>
      isSubject(candidate, user.username, groups, binding.namespace),
    );
    if (!subject) continue;
    const rules = rulesOf(binding);
    if (!rules)
      missing ??= `RBAC: ${binding.roleRef.kind.toLowerCase()}.rbac.authorization.k8s.io "${binding.roleRef.name}" not found`;
    const because = explain(binding, subject);
    for (const rule of rules ?? []) {
      held.push(rule);
      addGrants(grants, rule, because);
      const verbs = new Set(rule.verbs);
      for (const pattern of rule.nonResourceURLs ?? []) urls.push({ verbs, pattern, because });
    }
  }
  return { rules: held, grants, urls, ...(missing === undefined ? {} : { missing }) };
}

function addGrants(grants: Map<string, Grant[]>, rule: PolicyRule, because: string): void {
  const names = rule.resourceNames?.length ? { names: new Set(rule.resourceNames) } : {};
  const grant: Grant = { groups: new Set(rule.apiGroups), because, ...names };
  for (const verb of rule.verbs) {
    for (const resource of rule.resources ?? []) {
      const key = `${verb}|${resource}`;
      const list = grants.get(key);
      if (list) list.push(grant);
      else grants.set(key, [grant]);
    }
  }
}

function isSubject(
  subject: RbacSubject,
  username: string,
  groups: ReadonlySet<string>,
  bindingNamespace?: string,
): boolean {
  switch (subject.kind) {
    case 'User':
      return subject.name === username;
    case 'Group':
      return groups.has(subject.name);
    case 'ServiceAccount':
      return username === `${SERVICE_ACCOUNT_PREFIX}${subject.namespace ?? bindingNamespace}:${subject.name}`;
    default:
      return false;
  }
}

function explain({ name, namespace, roleRef }: Binding, subject: RbacSubject): string {
  const binding = namespace === undefined ? `ClusterRoleBinding "${name}"` : `RoleBinding "${name}/${namespace}"`;
  const whom = subject.namespace ? `${subject.name}/${subject.namespace}` : subject.name;
  return `RBAC: allowed by ${binding} of ${roleRef.kind} "${roleRef.name}" to ${subject.kind} "${whom}"`;
}
