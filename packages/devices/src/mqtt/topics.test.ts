import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isWithin, problemOfFilter, problemOfTopic, TopicTrie } from './topics.ts';

function check(filter: string, topic: string, isMatch: boolean): void {
  const trie = new TopicTrie<string>();
  trie.add(filter, 'it');
  assert.deepEqual(trie.match(topic), isMatch ? ['it'] : [], `${filter} and ${topic}`);
  trie.remove(filter, 'it');
  assert.deepEqual(trie.match(topic), []);
}

test('a filter matches what MQTT says it does', () => {
  check('a/b', 'a/b', true);
  check('a/b', 'a/b/c', false);
  check('a/+', 'a/b', true);
  check('a/+', 'a', false);
  check('a/+', 'a/', true);
  check('+/+', '/finance', true);
  check('+', '/finance', false);
  check('a/#', 'a', true);
  check('a/#', 'a/b/c', true);
  check('#', 'a/b', true);
  check('#', '$SYS/x', false);
  check('+/x', '$SYS/x', false);
  check('$SYS/#', '$SYS/x', true);
  check('a/$b/+', 'a/$b/c', true);
});

test('filters and topics that MQTT does not allow are named as such', () => {
  for (const filter of ['', 'a#', 'a/#/b', 'a+/b', '+a', 'a\u0000b', '\ud800', 'x'.repeat(65_536), '/'.repeat(100)])
    assert.ok(problemOfFilter(filter) !== undefined, filter.slice(0, 20));
  for (const filter of ['#', '+', 'a/+/b', '/', '+/+/#', '$SYS/#']) assert.equal(problemOfFilter(filter), undefined);
  assert.ok(problemOfTopic('a/+') !== undefined && problemOfTopic('a/#') !== undefined);
  assert.equal(problemOfTopic('a/b c/ü'), undefined);
});

const LEVEL = fc.constantFrom('a', 'b', '', '$x');
const TOPIC = fc.array(LEVEL, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/'));
const FILTER = fc
  .tuple(fc.array(fc.oneof(LEVEL, fc.constant('+')), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, isOpen]) => [...levels, ...(isOpen ? ['#'] : [])].join('/'));

function matchesPlainly(filter: string, topic: string): boolean {
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false;
  const pattern = filter
    .split('/')
    .map((level) => (level === '+' ? '[^/]*' : level.replace('$', '\\$')))
    .join('/')
    .replace(/\/#$/, '(/.*)?');
  return new RegExp(`^${pattern}$`).test(topic);
}

test('a trie of many filters finds what each of them matches alone', () => {
  fc.assert(
    fc.property(fc.uniqueArray(FILTER, { maxLength: 8 }), TOPIC, (filters, topic) => {
      const trie = new TopicTrie<string>();
      for (const filter of filters) trie.add(filter, filter);
      const expected = filters.filter((filter) => matchesPlainly(filter, topic));
      assert.deepEqual([...trie.match(topic)].sort(), expected.sort());
    }),
  );
});

test('a filter within another matches nothing that the other does not', () => {
  fc.assert(
    fc.property(FILTER, FILTER, TOPIC, (inner, outer, topic) => {
      if (isWithin(inner, outer) && matchesPlainly(inner, topic)) assert.ok(matchesPlainly(outer, topic));
    }),
  );
  assert.ok(isWithin('a/b/+', 'a/#') && isWithin('a/+', 'a/+') && isWithin('a', 'a/#'));
  assert.ok(!isWithin('#', 'a/#') && !isWithin('$SYS/x', '#') && !isWithin('a/#', 'a/+'));
});
