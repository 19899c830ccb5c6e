/** A container's own restart policy, and the rules that go before it. */
import { isObject, type JsonObject, objectAt } from '../../json.ts';
import { invalid, required } from '../../walker/field-errors.ts';
import { eachItem, type Faults, isAbsent, oneOf } from './checks.ts';

const POLICIES = ['Always', 'Never', 'OnFailure'];
const ACTIONS = ['Restart', 'RestartAllContainers'];
const OPERATORS = ['In', 'NotIn'];
const MAX_RULES = 20;
const MAX_EXIT_CODES = 255;

export function checkRestarts(faults: Faults, path: string, container: JsonObject): void {
  const { restartPolicy, restartPolicyRules: rules } = container;
  oneOf(faults, `${path}.restartPolicy`, restartPolicy, POLICIES);
  if (!Array.isArray(rules) || rules.length === 0) return;
  if (isAbsent(restartPolicy))
    faults.push(required(`${path}.restartPolicy`, 'must specify restartPolicy when restart rules are used'));
  if (rules.length > MAX_RULES)
    faults.push(invalid(`${path}.restartPolicyRules`, rules.length, `must have at most ${MAX_RULES} rules`));
  for (const [rule, at] of eachItem(faults, `${path}.restartPolicyRules`, rules)) {
    oneOf(faults, `${at}.action`, rule['action'], ACTIONS, true);
    if (isObject(rule['exitCodes'])) checkExitCodes(faults, `${at}.exitCodes`, objectAt(rule, 'exitCodes'));
    else faults.push(required(`${at}.exitCodes`));
  }
}

function checkExitCodes(faults: Faults, path: string, { operator, values }: JsonObject): void {
  oneOf(faults, `${path}.operator`, operator, OPERATORS, true);
  if (!Array.isArray(values) || values.length === 0) faults.push(required(`${path}.values`));
  else if (values.length > MAX_EXIT_CODES)
    faults.push(invalid(`${path}.values`, values.length, `must have at most ${MAX_EXIT_CODES} values`));
}
