/** Whether a policy or a webhook is for a request: by its rules, and by labels of the object and of its namespace. */
import { formatApiVersion, type Gvk, type Gvr, type KubeObject } from '@skerry/api';
import { everything, type LabelSelector, selectorFromObject } from '@skerry/api/selectors';
import type { NamedRuleWithOperations, LabelSelector as SelectorText } from '@skerry/api/types';
import { type Engine, groupResource } from '../../engine.ts';
import type { ServedKind } from '../../resource-table.ts';
import { notFound } from '../../statuses.ts';
import { lookUp } from '../lookup.ts';
import type { Review } from './contract.ts';

/** What MatchResources of policies and bindings say, and webhooks too. */
export interface MatchingText {
  readonly namespaceSelector?: SelectorText;
  readonly objectSelector?: SelectorText;
  readonly resourceRules?: readonly NamedRuleWithOperations[];
  readonly excludeResourceRules?: readonly NamedRuleWithOperations[];
  readonly matchPolicy?: string;
}

/** The same with its selectors compiled, once for all requests. */
export interface Matching {
  readonly namespaces: LabelSelector;
  readonly objects: LabelSelector;
  readonly rules: readonly NamedRuleWithOperations[];
  readonly excluded: readonly NamedRuleWithOperations[];
  readonly isExact: boolean;
}

export function compileMatching(text: MatchingText): Matching {
  return {
    namespaces: compileSelector(text.namespaceSelector),
    objects: compileSelector(text.objectSelector),
    rules: text.resourceRules ?? [],
    excluded: text.excludeResourceRules ?? [],
    isExact: text.matchPolicy === 'Exact',
  };
}

function compileSelector(selector: SelectorText | undefined): LabelSelector {
  return selector === undefined ? everything : selectorFromObject(selector);
}

/** As what a request is matched: itself, or the same object in another version that rules name. */
export interface Match {
  readonly resource: Gvr;
  readonly kind: Gvk;
}

/** Undefined when the request is none of its business. Throws 404 when that depends on a namespace that is not there. */
export function matchesRules(engine: Engine, review: Review, matching: Matching): Match | undefined {
  const { objects, excluded, rules, isExact } = matching;
  if (!matchesObject(review, objects)) return undefined;
  if (matchRules(engine, review, { rules: excluded, isExact }) !== undefined) return undefined;
  const found = rules.length === 0 ? ownMatch(review) : matchRules(engine, review, { rules, isExact });
  // Last, since it may have to refuse the request.
  return found !== undefined && matchesNamespace(engine, review, matching.namespaces) ? found : undefined;
}

function ownMatch({ call, gvk }: Review): Match {
  return { resource: call.kind.row.gvr, kind: gvk };
}

function matchRules(
  { table }: Engine,
  review: Review,
  { rules, isExact }: Pick<Matching, 'rules' | 'isExact'>,
): Match | undefined {
  if (rules.length === 0) return undefined;
  const own = ownMatch(review);
  if (rules.some((rule) => matchesRule(review, own.resource, rule))) return own;
  if (isExact) return undefined;
  const { group, resource } = own.resource;
  for (const { row } of table.all()) {
    const { gvr } = row;
    if (gvr.group !== group || gvr.resource !== resource || gvr.version === own.resource.version) continue;
    if (!rules.some((rule) => matchesRule(review, gvr, rule))) continue;
    // A Scale is the same in whichever version of its kind it is asked for.
    const isOwnKind = review.gvk.kind === row.gvk.kind && review.gvk.group === row.gvk.group;
    return { resource: gvr, kind: isOwnKind ? row.gvk : review.gvk };
  }
  return undefined;
}

function matchesRule(review: Review, { group, version, resource }: Gvr, rule: NamedRuleWithOperations): boolean {
  const { operations = [], apiGroups = [], apiVersions = [], resources = [], resourceNames = [] } = rule;
  return (
    isAmong(operations, review.operation) &&
    isAmong(apiGroups, group) &&
    isAmong(apiVersions, version) &&
    resources.some((text) => matchesResource(text, resource, review.call.route.subresource ?? '')) &&
    (resourceNames.length === 0 || resourceNames.includes(review.name)) &&
    matchesScope(review, rule.scope)
  );
}

function isAmong(accepted: readonly string[], value: string): boolean {
  return accepted.includes('*') || accepted.includes(value);
}

/** `pods`, `pods/status`, `pods/*`, `*`, `*\/scale`; without a slash, subresources are not meant. */
function matchesResource(text: string, resource: string, subresource: string): boolean {
  const [first = '', second = ''] = text.split('/', 2);
  return (first === '*' || first === resource) && (second === '*' || second === subresource);
}

/** A Namespace is an object of the cluster although it is in itself. */
function matchesScope(review: Review, scope: string | undefined): boolean {
  const isOfCluster = isNamespace(review) || review.namespace === '';
  switch (scope) {
    case 'Namespaced':
      return !isOfCluster;
    case 'Cluster':
      return isOfCluster;
    default:
      return true;
  }
}

function isNamespace({ call }: Review): boolean {
  const { group, resource } = groupResource(call.kind);
  return group === '' && resource === 'namespaces' && call.route.subresource === undefined;
}

/** One that matches what was, or what will be, is enough. */
function matchesObject({ object, old }: Review, selector: LabelSelector): boolean {
  if (selector.isEmpty) return true;
  return [object, old].some((each) => each !== null && selector.matches(each.metadata?.labels));
}

function matchesNamespace(engine: Engine, review: Review, selector: LabelSelector): boolean {
  if (selector.isEmpty) return true;
  if (review.namespace === '' && !isNamespace(review)) return true;
  return selector.matches(namespaceOf(engine, review).metadata.labels);
}

/** The Namespace that the object of a request is in, as it will be. */
function namespaceOf(engine: Engine, review: Review): KubeObject {
  const { operation, object, namespace } = review;
  if (isNamespace(review) && object !== null && (operation === 'CREATE' || operation === 'UPDATE')) return object;
  const found = lookUp(engine, '', 'namespaces', { name: namespace });
  if (found === undefined) throw notFound({ group: '', resource: 'namespaces' }, namespace);
  return found;
}

/** An object in the version that it was matched in. */
export function inMatchedVersion(
  engine: Engine,
  review: Review,
  object: KubeObject | null,
  { resource, kind }: Match,
): KubeObject | null {
  if (object === null || kind.version === review.gvk.version) return object;
  const other = engine.table.find(resource.group, resource.version, resource.resource);
  return other === undefined ? object : inVersionOf(other, review.call.kind, object);
}

/** An object of one version of a kind as one of another. */
export function inVersionOf(wanted: ServedKind, given: ServedKind, object: KubeObject): KubeObject {
  const stored = given.conversion?.toStored(structuredClone(object)) ?? object;
  const served = wanted.conversion?.toServed(structuredClone(stored)) ?? stored;
  return { ...served, apiVersion: formatApiVersion(wanted.row.gvk) };
}
