import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyJsonPatch, applyMergePatch } from '../../patch/index.ts';
import { Cel } from '../cel.ts';
import { rewriteObjects } from '../object-literals.ts';
import { compileMutatingPolicy, evaluateMutations, type MutationOutcome } from './mutating.ts';

const cel = new Cel();
const object = { metadata: { name: 'web', labels: { a: 'b' } }, spec: { replicas: 1, containers: [{ name: 'main' }] } };

const apply = (expression: string) => ({
  patchType: 'ApplyConfiguration' as const,
  applyConfiguration: { expression },
});
const patch = (expression: string) => ({ patchType: 'JSONPatch' as const, jsonPatch: { expression } });

function mutate(
  mutations: readonly (ReturnType<typeof apply> | ReturnType<typeof patch>)[],
  more: object = {},
): MutationOutcome {
  const policy = compileMutatingPolicy(cel, { mutations: [...mutations], ...more });
  assert.deepEqual(policy.faults, []);
  const user = { username: 'ann', groups: [] };
  const input = { object, oldObject: null, request: {}, authorizer: { authorize: () => ({ allowed: false }) }, user };
  return evaluateMutations(policy, input, (before, change) => {
    const after =
      change.type === 'JSONPatch'
        ? applyJsonPatch(before, change.operations)
        : applyMergePatch(before, change.configuration);
    return after as object;
  });
}

test('objects are made by their type, and keep what texts and comments hold', () => {
  const check = (expression: string, expected: string) => assert.equal(rewriteObjects(expression).expression, expected);
  check('Object{spec: Object.spec{replicas: x + 1}}', '{"spec": {"replicas": x + 1}}');
  check('[JSONPatch{op: "add", path: "/a", value: {"k": a}}]', '[{"op": "add", "path": "/a", "value": {"k": a}}]');
  check(
    'Object{a: f(x, y), b: [c, d], in: {k: v}} // Object{a: 1}',
    '{"a": f(x, y), "b": [c, d], "in": {k: v}} // Object{a: 1}',
  );
  check("'Object{a: 1}' + \"\\\"Object{\" + r'\\'", "'Object{a: 1}' + \"\\\"Object{\" + r'\\'");
  check('x ? {"a": 1} : {}', 'x ? {"a": 1} : {}');
  check('Object {\n  metadata : Object . metadata {}\n}', '  {\n  "metadata" :  {}\n}'.slice(1));
  assert.match(rewriteObjects('Pod{a: 1}').fault ?? '', /undeclared reference to 'Pod'/);
});

test('a mutation is a configuration to apply or a patch, and sees what was done before it', () => {
  const { object: after } = mutate([
    apply(
      'Object{spec: Object.spec{replicas: object.spec.replicas + 1}, metadata: Object.metadata{labels: {"c": "d"}}}',
    ),
    patch(
      '[JSONPatch{op: "test", path: "/spec/replicas", value: 2}, JSONPatch{op: "add", path: "/spec/containers/-", value: {"name": "side"}}]',
    ),
  ]);
  assert.deepEqual(after, {
    metadata: { name: 'web', labels: { a: 'b', c: 'd' } },
    spec: { replicas: 2, containers: [{ name: 'main' }, { name: 'side' }] },
  });
});

test('conditions and failures decide as those of validations do', () => {
  const change = apply('Object{spec: Object.spec{replicas: object.nope}}');
  assert.deepEqual(mutate([change]), { object, refusal: 'no such key: nope' });
  assert.deepEqual(mutate([change], { failurePolicy: 'Ignore' }), { object });
  assert.deepEqual(mutate([change], { matchConditions: [{ name: 'a', expression: 'false' }] }), { object });
});

test('what does not compile is refused with the policy', () => {
  const faults = (mutations: object[]) =>
    compileMutatingPolicy(cel, { mutations: mutations as never }).faults.map(({ message }) => message);
  assert.match(faults([])[0] ?? '', /^spec\.mutations: Required value/);
  assert.match(
    faults([{ patchType: 'Merge' }])[0] ?? '',
    /^spec\.mutations\[0\]\.patchType: Unsupported value: "Merge"/,
  );
  assert.match(
    faults([apply('Object{spec: nope}')])[0] ?? '',
    /applyConfiguration\.expression: .*undeclared reference to 'nope'/,
  );
  assert.match(faults([patch('Object{}')])[0] ?? '', /jsonPatch\.expression: .*must evaluate to list/);
});
