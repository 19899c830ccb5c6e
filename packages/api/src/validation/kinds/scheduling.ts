/** What binds a pod to nodes: tolerations, affinity, spread; and the taints of nodes themselves. */
import { isObject, type JsonObject, objectAt } from '../../json.ts';
import { invalid, required } from '../../walker/field-errors.ts';
import { checkLabelValue, checkQualifiedName } from '../names.ts';
import { eachItem, type Faults, isAbsent, named, oneOf, present, problems, Unique, within } from './checks.ts';
import { checkSelector } from './selectors.ts';

const EFFECTS = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];
const NODE_OPERATORS = ['In', 'NotIn', 'Exists', 'DoesNotExist', 'Gt', 'Lt'];
const WEIGHT = [1, 100] as const;

export function checkTolerations(faults: Faults, path: string, tolerations: unknown): void {
  for (const [toleration, at] of eachItem(faults, path, tolerations)) {
    const { key, operator, value, effect, tolerationSeconds } = toleration;
    if (!isAbsent(key)) problems(faults, `${at}.key`, key, checkQualifiedName(String(key)));
    else if (operator !== 'Exists') {
      faults.push(
        invalid(
          `${at}.operator`,
          operator ?? '',
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      );
    }
    if (tolerationSeconds !== undefined && effect !== 'NoExecute') {
      faults.push(invalid(`${at}.effect`, effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set"));
    }
    oneOf(faults, `${at}.operator`, operator, ['Equal', 'Exists']);
    if (operator === 'Exists' && !isAbsent(value)) {
      faults.push(invalid(`${at}.operator`, toleration, "value must be empty when `operator` is 'Exists'"));
    } else if (!isAbsent(value)) problems(faults, `${at}.operator`, value, checkLabelValue(String(value)));
    oneOf(faults, `${at}.effect`, effect, EFFECTS);
  }
}

export function checkTaints(faults: Faults, path: string, taints: unknown): void {
  const unique = new Unique(faults);
  for (const [taint, at] of eachItem(faults, path, taints)) {
    const { key, value, effect } = taint;
    named(faults, `${at}.key`, key, checkQualifiedName);
    if (!isAbsent(value)) problems(faults, `${at}.value`, value, checkLabelValue(String(value)));
    oneOf(faults, `${at}.effect`, effect, EFFECTS, true);
    unique.add(at, [key, effect], taint);
  }
}

export function checkAffinity(faults: Faults, path: string, affinity: JsonObject): void {
  const node = objectAt(affinity, 'nodeAffinity');
  const needed = node['requiredDuringSchedulingIgnoredDuringExecution'];
  const nodePath = `${path}.nodeAffinity`;
  if (isObject(needed)) checkNodeTerms(faults, `${nodePath}.requiredDuringSchedulingIgnoredDuringExecution`, needed);
  const wished = node['preferredDuringSchedulingIgnoredDuringExecution'];
  for (const [term, at] of eachItem(faults, `${nodePath}.preferredDuringSchedulingIgnoredDuringExecution`, wished)) {
    within(faults, `${at}.weight`, term['weight'], WEIGHT);
    checkNodeTerm(faults, `${at}.preference`, objectAt(term, 'preference'));
  }
  for (const kind of ['podAffinity', 'podAntiAffinity'])
    checkPodAffinity(faults, `${path}.${kind}`, objectAt(affinity, kind));
}

function checkNodeTerms(faults: Faults, path: string, { nodeSelectorTerms }: JsonObject): void {
  if (!Array.isArray(nodeSelectorTerms) || nodeSelectorTerms.length === 0) {
    faults.push(required(`${path}.nodeSelectorTerms`, 'must have at least one node selector term'));
  }
  for (const [term, at] of eachItem(faults, `${path}.nodeSelectorTerms`, nodeSelectorTerms))
    checkNodeTerm(faults, at, term);
}

function checkNodeTerm(faults: Faults, path: string, term: JsonObject): void {
  for (const [expression, at] of eachItem(faults, `${path}.matchExpressions`, term['matchExpressions'])) {
    checkNodeExpression(faults, at, expression);
    problems(faults, `${at}.key`, expression['key'], checkQualifiedName(String(expression['key'])));
  }
  for (const [field, at] of eachItem(faults, `${path}.matchFields`, term['matchFields'])) {
    if (field['key'] !== 'metadata.name')
      faults.push(invalid(`${at}.key`, field['key'], 'not a valid field selector key'));
  }
}

function checkNodeExpression(faults: Faults, path: string, { operator, values }: JsonObject): void {
  const count = Array.isArray(values) ? values.length : 0;
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (count === 0) faults.push(required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
      break;
    case 'Exists':
    case 'DoesNotExist':
      if (count > 0)
        faults.push(
          invalid(`${path}.values`, values, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
        );
      break;
    case 'Gt':
    case 'Lt':
      if (count !== 1)
        faults.push(required(`${path}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
      break;
    default:
      faults.push(
        invalid(
          `${path}.operator`,
          operator ?? '',
          `not a valid selector operator, use one of ${NODE_OPERATORS.join(', ')}`,
        ),
      );
  }
}

function checkPodAffinity(faults: Faults, path: string, affinity: JsonObject): void {
  const needed = affinity['requiredDuringSchedulingIgnoredDuringExecution'];
  for (const [term, at] of eachItem(faults, `${path}.requiredDuringSchedulingIgnoredDuringExecution`, needed)) {
    checkPodTerm(faults, at, term);
  }
  const wished = affinity['preferredDuringSchedulingIgnoredDuringExecution'];
  for (const [term, at] of eachItem(faults, `${path}.preferredDuringSchedulingIgnoredDuringExecution`, wished)) {
    within(faults, `${at}.weight`, term['weight'], WEIGHT);
    checkPodTerm(faults, `${at}.podAffinityTerm`, objectAt(term, 'podAffinityTerm'));
  }
}

function checkPodTerm(faults: Faults, path: string, term: JsonObject): void {
  if (present(faults, `${path}.topologyKey`, term['topologyKey'], 'can not be empty')) {
    problems(faults, `${path}.topologyKey`, term['topologyKey'], checkQualifiedName(String(term['topologyKey'])));
  }
  checkSelector(faults, `${path}.labelSelector`, term['labelSelector']);
  checkSelector(faults, `${path}.namespaceSelector`, term['namespaceSelector']);
}

export function checkSpread(faults: Faults, path: string, constraints: unknown): void {
  const unique = new Unique(faults);
  for (const [constraint, at] of eachItem(faults, path, constraints)) {
    const { maxSkew, topologyKey, whenUnsatisfiable } = constraint;
    if (typeof maxSkew !== 'number' || maxSkew <= 0)
      faults.push(invalid(`${at}.maxSkew`, maxSkew ?? 0, 'must be greater than zero'));
    if (present(faults, `${at}.topologyKey`, topologyKey, 'can not be empty')) {
      problems(faults, `${at}.topologyKey`, topologyKey, checkQualifiedName(String(topologyKey)));
    }
    oneOf(faults, `${at}.whenUnsatisfiable`, whenUnsatisfiable, ['DoNotSchedule', 'ScheduleAnyway'], true);
    unique.add(
      `${at}.{topologyKey, whenUnsatisfiable}`,
      [topologyKey, whenUnsatisfiable],
      `{${topologyKey}, ${whenUnsatisfiable}}`,
    );
    checkSelector(faults, `${at}.labelSelector`, constraint['labelSelector']);
  }
}
