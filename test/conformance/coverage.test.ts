/** No published requirement is forgotten, and none is made up. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CATALOGUE } from './catalogue.ts';
import { type Group, problemsOf, publishedNames } from './coverage.ts';
import { missing, requirement } from './requirement.ts';

test('each published name has one case, or says what is missing', () => {
  const names = publishedNames();
  assert.deepEqual([names['Without nodes'].length, names['With nodes'].length], [130, 46]);
  for (const [group, entries] of Object.entries(CATALOGUE))
    assert.deepEqual(problemsOf(names[group as Group], entries), [], group);
});

test('a name without an entry, an entry without a name and two entries of one name are found', () => {
  const entries = [requirement('made up', '', async () => {}), missing('b', 'all'), missing('b', 'all')];
  assert.deepEqual(problemsOf(['a', 'b'], entries), [
    'has neither a case nor a reason: a',
    'is not in names.txt: made up',
    "stands twice, so its 'missing' may be over: b",
  ]);
});
