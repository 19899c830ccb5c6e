/** Label selectors in specs. */
import { isObject, type JsonObject, objectsAt } from '../../json.ts';
import { selectorFromObject } from '../../selectors/index.ts';
import { forbidden, invalid, required } from '../../walker/field-errors.ts';
import { checkLabelValue, checkQualifiedName } from '../names.ts';
import { type Faults, problems } from './checks.ts';
import { checkLabels } from './meta.ts';

/** True when the selector can be compiled. */
export function checkSelector(faults: Faults, path: string, selector: unknown): boolean {
  const before = faults.length;
  if (!isObject(selector)) return false;
  checkLabels(faults, `${path}.matchLabels`, selector['matchLabels']);
  for (const [index, expression] of objectsAt(selector, 'matchExpressions').entries()) {
    checkExpression(faults, `${path}.matchExpressions[${index}]`, expression);
  }
  return faults.length === before;
}

function checkExpression(faults: Faults, path: string, { key, operator, values }: JsonObject): void {
  const list = Array.isArray(values) ? values : [];
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (list.length === 0) {
        faults.push(required(`${path}.values`, "must be specified when `operator` is 'In' or 'NotIn'"));
      }
      break;
    case 'Exists':
    case 'DoesNotExist':
      if (list.length > 0) {
        faults.push(forbidden(`${path}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
      }
      break;
    default:
      faults.push(invalid(`${path}.operator`, operator, 'not a valid selector operator'));
  }
  problems(faults, `${path}.key`, key, checkQualifiedName(String(key)));
  for (const [index, value] of list.entries())
    problems(faults, `${path}.values[${index}]`, value, checkLabelValue(String(value)));
}

/** A workload's selector: there, not empty, sound, and fitting the labels of its own template. */
export function checkWorkloadSelector(faults: Faults, spec: JsonObject, kind: string): void {
  const { selector, template } = spec;
  if (!isObject(selector)) {
    faults.push(required('spec.selector'));
    return;
  }
  if (!checkSelector(faults, 'spec.selector', selector)) return;
  const compiled = selectorFromObject(selector);
  if (compiled.isEmpty) {
    faults.push(invalid('spec.selector', selector, `empty selector is invalid for ${kind}`));
    return;
  }
  const labels = isObject(template) && isObject(template['metadata']) ? template['metadata']['labels'] : undefined;
  if (!isObject(template) || compiled.matches(isObject(labels) ? (labels as Record<string, string>) : {})) return;
  faults.push(invalid('spec.template.metadata.labels', labels ?? null, '`selector` does not match template `labels`'));
}
