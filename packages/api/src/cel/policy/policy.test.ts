import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ValidatingAdmissionPolicySpec } from '../../generated/types.ts';
import { Cel } from '../cel.ts';
import type { AdmissionInput } from './request-scope.ts';
import { compileValidatingPolicy, evaluatePolicy, type PolicyOutcome } from './validating.ts';

const cel = new Cel();

const INPUT: AdmissionInput = {
  object: {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', labels: { 'a-b': 'c' } },
    spec: { replicas: 7 },
  },
  oldObject: null,
  request: {
    operation: 'CREATE',
    namespace: 'shop',
    name: 'web',
    resource: { group: 'apps', version: 'v1', resource: 'deployments' },
    userInfo: { username: 'ann', groups: ['dev'] },
  },
  params: { spec: { max: 5 } },
  namespaceObject: { metadata: { name: 'shop', labels: { tier: 'gold' } } },
  authorizer: {
    authorize: ({ user, verb, resource, path }) => ({
      allowed:
        user.username === 'ann' && (verb === 'break-glass' || path === '/metrics') && resource?.namespace !== 'other',
    }),
  },
  user: { username: 'ann', groups: ['dev'] },
};

const evaluate = (spec: ValidatingAdmissionPolicySpec, input: Partial<AdmissionInput> = {}): PolicyOutcome => {
  const policy = compileValidatingPolicy(cel, spec);
  assert.deepEqual(policy.faults, []);
  return evaluatePolicy(policy, { ...INPUT, ...input });
};

function check(
  spec: ValidatingAdmissionPolicySpec,
  messages: readonly string[],
  input?: Partial<AdmissionInput>,
): void {
  const { objections } = evaluate(spec, input);
  assert.deepEqual(
    objections.map(({ message }) => message),
    messages,
  );
}

function refuses(spec: ValidatingAdmissionPolicySpec, ...faults: readonly RegExp[]): void {
  const found = compileValidatingPolicy(cel, spec).faults.map(({ message }) => message);
  assert.equal(found.length, faults.length, found.join('\n'));
  for (const [index, fault] of faults.entries()) assert.match(found[index] ?? '', fault);
}

test('what an expression says no to, the policy objects to, in the words of its author', () => {
  check({ validations: [{ expression: 'object.spec.replicas <= 10' }] }, []);
  check({ validations: [{ expression: 'object.spec.replicas <= 5' }] }, [
    'failed expression: object.spec.replicas <= 5',
  ]);
  check({ validations: [{ expression: 'false', message: ' too many ' }] }, ['too many']);
  const told = {
    expression: 'object.spec.replicas <= params.spec.max',
    messageExpression: "'at most ' + string(params.spec.max)",
  };
  check({ paramKind: { apiVersion: 'v1', kind: 'X' }, validations: [told] }, ['at most 5']);
  const { objections } = evaluate({ validations: [{ expression: 'false', reason: 'Forbidden' }] });
  assert.equal(objections[0]?.reason, 'Forbidden');
});

test('expressions see request, namespace, old object and what the user may do', () => {
  const expressions = [
    "request.operation == 'CREATE' && oldObject == null && 'dev' in request.userInfo.groups",
    "namespaceObject.metadata.labels.tier == 'gold' && object.metadata.labels['a-b'] == 'c'",
    "authorizer.group('apps').resource('deployments').namespace('shop').check('break-glass').allowed()",
    "!authorizer.group('apps').resource('deployments').namespace('other').check('break-glass').allowed()",
    "authorizer.requestResource.check('break-glass').allowed() && authorizer.path('/metrics').check('get').allowed()",
    "!authorizer.serviceAccount('shop', 'bot').requestResource.check('break-glass').allowed()",
  ];
  check({ validations: expressions.map((expression) => ({ expression })) }, []);
});

test('variables are computed when they are read, and see those before them', () => {
  const variables = [
    { name: 'count', expression: 'object.spec.replicas' },
    { name: 'twice', expression: 'variables.count * 2' },
    { name: 'broken', expression: 'object.nope' },
  ];
  check({ variables, validations: [{ expression: 'variables.twice == 14' }] }, []);
  check({ variables, validations: [{ expression: 'variables.broken == 1' }] }, [
    'expression \'variables.broken == 1\' resulted in error: composited variable "broken" fails to evaluate: no such key: nope',
  ]);
  refuses(
    {
      variables: [
        { name: 'a', expression: 'variables.b' },
        { name: 'b', expression: '1' },
      ],
      validations: [{ expression: 'true' }],
    },
    /^spec\.variables\[0\]\.expression: .*undefined field 'b'/,
  );
});

test('conditions decide whether a policy is concerned; an error counts when none says no', () => {
  const validations = [{ expression: 'false' }];
  const when = (...expressions: string[]) => ({
    validations,
    matchConditions: expressions.map((expression, index) => ({ name: `c${index}`, expression })),
  });
  assert.equal(evaluate(when("request.operation == 'DELETE'")).isConcerned, false);
  assert.equal(evaluate(when('object.nope == 1', 'false')).isConcerned, false);
  check(when('true'), ['failed expression: false']);
  check(when('object.nope == 1'), ['match condition "c0": no such key: nope']);
  check({ ...when('object.nope == 1'), failurePolicy: 'Ignore' }, []);
});

test('a policy that fails refuses, unless it is to be ignored then', () => {
  const validations = [{ expression: 'object.spec.nope > 1' }];
  check({ validations }, ["expression 'object.spec.nope > 1' resulted in error: no such key: nope"]);
  check({ validations, failurePolicy: 'Ignore' }, []);
  assert.equal(evaluate({ validations }).objections[0]?.isFailure, true);
});

test('annotations for the audit log', () => {
  const auditAnnotations = [
    { key: 'many', valueExpression: "object.spec.replicas > 5 ? 'replicas: ' + string(object.spec.replicas) : ''" },
    { key: 'few', valueExpression: "object.spec.replicas < 5 ? 'few' : dyn(null)" },
  ];
  assert.deepEqual(evaluate({ auditAnnotations }).annotations, { many: 'replicas: 7' });
});

test('what does not compile is refused with the policy', () => {
  refuses({}, /^spec\.validations: Required value/);
  refuses({ validations: [{ expression: '' }] }, /^spec\.validations\[0\]\.expression: Required value/);
  refuses({ validations: [{ expression: 'params == null' }] }, /undeclared reference to 'params'/);
  refuses({ validations: [{ expression: 'object.a +' }] }, /compilation failed: ERROR: <input>:1:11: Syntax error/);
  refuses(
    {
      validations: [{ expression: 'true' }],
      matchConditions: [
        { name: 'a', expression: '1' },
        { name: 'a', expression: 'true' },
      ],
    },
    /^spec\.matchConditions\[0\]\.expression: .*must evaluate to bool/,
    /^spec\.matchConditions\[1\]\.name: Duplicate value: "a"/,
  );
});

test('all expressions of a policy have one budget', () => {
  const list = `[${Array.from({ length: 100 }, (_, index) => index).join(',')}]`;
  const expression = `${list}.all(a, ${list}.all(b, ${list}.all(c, ${list}.all(d, a + b + c + d >= 0))))`;
  check({ validations: [{ expression }, { expression: 'true' }] }, [
    `expression '${expression}' resulted in error: operation cancelled: actual cost limit exceeded`,
    "expression 'true' resulted in error: operation cancelled: actual cost limit exceeded",
  ]);
});
