import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkFieldSelector, parseFieldSelector } from './field-selector.ts';
import { formatLabelSelector, parseLabelSelector, selectorFromMap, selectorFromObject } from './label-selector.ts';

function check(selector: string, labels: Record<string, string>, expected: boolean): void {
  assert.equal(parseLabelSelector(selector).matches(labels), expected, `${selector} on ${JSON.stringify(labels)}`);
}

function refuse(selector: string, message: string): void {
  assert.throws(() => parseLabelSelector(selector), { message, name: 'StatusError' });
}

test('equality terms', () => {
  check('app=web', { app: 'web' }, true);
  check('app==web', { app: 'db' }, false);
  check('app = web , tier=a', { app: 'web', tier: 'a' }, true);
  check('app!=web', {}, true);
  check('app!=web', { app: 'web' }, false);
  check('app=', { app: '' }, true);
  check('app=', {}, false);
  check('', { any: 'thing' }, true);
});

test('set terms', () => {
  check('app in (web,db)', { app: 'db' }, true);
  check('app in ( web )', { app: 'db' }, false);
  check('app notin (web,db)', {}, true);
  check('app notin (web)', { app: 'web' }, false);
  check('in in (in)', { in: 'in' }, true);
  check('a in (x,)', { a: '' }, true);
});

test('existence and order', () => {
  check('app', { app: '' }, true);
  check('!app', { app: '' }, false);
  check('!app,tier', { tier: '1' }, true);
  check('gen>3', { gen: '4' }, true);
  check('gen<3', { gen: 'x' }, false);
  check('example.com/app=web', { 'example.com/app': 'web' }, true);
  check('constructor', {}, false);
});

test('errors read as the API server words them', () => {
  refuse('a,', "found '', expected: identifier after ','");
  refuse('=b', "found '=', expected: !, identifier, or 'end of string'");
  refuse('a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt");
  refuse('a=b c', "found 'c', expected: ',' or 'end of string'");
  refuse('a in x', "unable to parse requirement: found 'x' expected: '('");
  refuse(
    'a in ()',
    "unable to parse requirement: values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty",
  );
  assert.throws(() => parseLabelSelector('a=b/c'), {
    message: /values\[0\]\[a\]: Invalid value: "b\/c": a valid label must/,
  });
  assert.throws(() => parseLabelSelector('-a=b'), { message: /<nil>: Invalid value: "-a": name part must consist/ });
});

test('an absent selector object selects nothing, an empty one everything', () => {
  assert.equal(selectorFromObject(undefined).matches({}), false);
  assert.equal(selectorFromObject({}).matches({}), true);
  assert.equal(selectorFromMap({}).matches({}), false);
  const selector = selectorFromObject({
    matchLabels: { app: 'web' },
    matchExpressions: [
      { key: 'tier', operator: 'In', values: ['a', 'b'] },
      { key: 'old', operator: 'DoesNotExist' },
    ],
  });
  assert.equal(selector.matches({ app: 'web', tier: 'b' }), true);
  assert.equal(selector.matches({ app: 'web', tier: 'b', old: '' }), false);
  assert.equal(formatLabelSelector(selector), 'app=web,!old,tier in (a,b)');
});

test('field selectors compare the text at a path', () => {
  const pod = { metadata: { name: 'a' }, spec: { nodeName: 'n1' }, status: { phase: 'Running' } };
  assert.equal(parseFieldSelector('spec.nodeName=n1,status.phase!=Failed').matches(pod), true);
  assert.equal(parseFieldSelector('spec.nodeName=').matches(pod), false);
  assert.equal(parseFieldSelector('spec.unschedulable==false').matches({ spec: {} }), true);
  assert.equal(parseFieldSelector('metadata.name=a').exact('metadata.name'), 'a');
  assert.equal(parseFieldSelector(String.raw`metadata.name=a\,b`).matches({ metadata: { name: 'a,b' } }), true);
  assert.throws(() => parseFieldSelector('nonsense'), {
    message: "invalid selector: 'nonsense'; can't understand 'nonsense'",
  });
});

test('a field that the kind does not offer is refused', () => {
  const row = { gvr: { group: '', version: 'v1', resource: 'pods' }, selectableFields: ['spec.nodeName'] };
  checkFieldSelector(row, parseFieldSelector('spec.nodeName=a,metadata.name=b'));
  assert.throws(() => checkFieldSelector(row, parseFieldSelector('spec.foo=a')), {
    message:
      'Unable to find "/v1, Resource=pods" that match label selector "", field selector "spec.foo=a": field label not supported: spec.foo',
  });
});
