/** HorizontalPodAutoscaler, in both versions: v1 has one field where v2 has a list of metrics. */
import { isObject, type JsonObject, objectAt, objectsAt } from '../../json.ts';
import { parseQuantity } from '../../quantity.ts';
import { forbidden, invalid, required } from '../../walker/field-errors.ts';
import { atLeast, type Faults, isAbsent, oneOf, present, within } from './checks.ts';
import { checkSelector } from './selectors.ts';

const MAX_STABILIZATION_SECONDS = 3600;
const MAX_PERIOD_SECONDS = 1800;

/** Each type of metric: where it stands, what it may be measured against, and which names it needs. */
const METRICS: Readonly<Record<string, { at: string; targets: readonly string[]; needs: readonly string[] }>> = {
  Resource: { at: 'resource', targets: ['Utilization', 'AverageValue'], needs: ['name'] },
  ContainerResource: {
    at: 'containerResource',
    targets: ['Utilization', 'AverageValue'],
    needs: ['name', 'container'],
  },
  Pods: { at: 'pods', targets: ['AverageValue'], needs: ['metric.name'] },
  Object: {
    at: 'object',
    targets: ['Value', 'AverageValue'],
    needs: ['metric.name', 'describedObject.kind', 'describedObject.name'],
  },
  External: { at: 'external', targets: ['Value', 'AverageValue'], needs: ['metric.name'] },
};

export function checkAutoscaler(faults: Faults, autoscaler: JsonObject): void {
  const spec = objectAt(autoscaler, 'spec');
  const { minReplicas, maxReplicas, scaleTargetRef } = spec;
  atLeast(faults, 'spec.minReplicas', minReplicas, 1);
  if (typeof maxReplicas !== 'number' || maxReplicas < 1) {
    faults.push(invalid('spec.maxReplicas', maxReplicas ?? 0, 'must be greater than 0'));
  } else if (typeof minReplicas === 'number' && maxReplicas < minReplicas) {
    faults.push(invalid('spec.maxReplicas', maxReplicas, 'must be greater than or equal to `minReplicas`'));
  }
  for (const field of ['kind', 'name']) {
    present(faults, `spec.scaleTargetRef.${field}`, isObject(scaleTargetRef) ? scaleTargetRef[field] : undefined);
  }
  atLeast(faults, 'spec.targetCPUUtilizationPercentage', spec['targetCPUUtilizationPercentage'], 1);
  for (const [index, metric] of objectsAt(spec, 'metrics').entries()) {
    checkMetric(faults, `spec.metrics[${index}]`, metric);
  }
  for (const direction of ['scaleUp', 'scaleDown']) checkRules(faults, `spec.behavior.${direction}`, spec, direction);
}

function checkMetric(faults: Faults, path: string, metric: JsonObject): void {
  const { type } = metric;
  oneOf(faults, `${path}.type`, type, Object.keys(METRICS), true);
  const facts = METRICS[String(type)];
  if (facts === undefined) return;
  for (const { at } of Object.values(METRICS)) {
    if (at !== facts.at && !isAbsent(metric[at])) {
      faults.push(forbidden(`${path}.${at}`, 'must populate the given metric source only'));
    }
  }
  const source = metric[facts.at];
  if (!isObject(source)) {
    faults.push(required(`${path}.${facts.at}`, 'must populate information for the given metric source'));
    return;
  }
  for (const name of facts.needs) {
    const [first = '', second] = name.split('.');
    const value = second === undefined ? source[first] : objectAt(source, first)[second];
    present(faults, `${path}.${facts.at}.${name}`, value);
  }
  checkSelector(faults, `${path}.${facts.at}.metric.selector`, objectAt(source, 'metric')['selector']);
  checkTarget(faults, `${path}.${facts.at}.target`, objectAt(source, 'target'), facts.targets);
}

/** The fields of a target, by the type that says which one counts. */
const AMOUNTS: Readonly<Record<string, string>> = {
  Utilization: 'averageUtilization',
  AverageValue: 'averageValue',
  Value: 'value',
};

function checkTarget(faults: Faults, path: string, target: JsonObject, allowed: readonly string[]): void {
  oneOf(faults, `${path}.type`, target['type'], allowed, true);
  const given = Object.values(AMOUNTS).filter((field) => !isAbsent(target[field]));
  if (given.length > 1) faults.push(forbidden(path, `may not set more than one of ${given.join(' and ')}`));
  const field = AMOUNTS[String(target['type'])];
  if (field === undefined || !present(faults, `${path}.${field}`, target[field], 'must set the amount of the type'))
    return;
  atLeast(faults, `${path}.averageUtilization`, target['averageUtilization'], 1);
  for (const amount of ['value', 'averageValue']) {
    if (!isAbsent(target[amount]) && (parseQuantity(target[amount])?.nano ?? 0n) <= 0n) {
      faults.push(invalid(`${path}.${amount}`, target[amount], 'must be positive'));
    }
  }
}

function checkRules(faults: Faults, path: string, spec: JsonObject, direction: string): void {
  const rules = objectAt(spec, 'behavior')[direction];
  if (!isObject(rules)) return;
  within(faults, `${path}.stabilizationWindowSeconds`, rules['stabilizationWindowSeconds'], [
    0,
    MAX_STABILIZATION_SECONDS,
  ]);
  oneOf(faults, `${path}.selectPolicy`, rules['selectPolicy'], ['Disabled', 'Max', 'Min']);
  if (!isAbsent(rules['tolerance']) && (parseQuantity(rules['tolerance'])?.nano ?? -1n) < 0n) {
    faults.push(invalid(`${path}.tolerance`, rules['tolerance'], 'must be greater than or equal to zero'));
  }
  const policies = objectsAt(rules, 'policies');
  if (policies.length === 0) faults.push(required(`${path}.policies`, 'must specify at least one Policy'));
  for (const [index, policy] of policies.entries()) {
    const at = `${path}.policies[${index}]`;
    oneOf(faults, `${at}.type`, policy['type'], ['Percent', 'Pods'], true);
    atLeast(faults, `${at}.value`, policy['value'] ?? 0, 1);
    within(faults, `${at}.periodSeconds`, policy['periodSeconds'] ?? 0, [1, MAX_PERIOD_SECONDS]);
  }
}
