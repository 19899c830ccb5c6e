import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  BoundedQueue,
  backoffCeiling,
  backoffDelay,
  defineErrors,
  describeError,
  hasCode,
  jsonLogger,
  newNameSuffix,
  newUid,
} from './index.ts';

test('a delay is never above its ceiling, and the ceiling grows to the cap', () => {
  const policy = { baseMs: 100, capMs: 5000 };
  assert.deepEqual(
    [0, 1, 5, 6, 1000].map((attempt) => backoffCeiling(policy, attempt)),
    [100, 200, 3200, 5000, 5000],
  );
  assert.equal(
    backoffDelay(policy, 3, () => 0.5),
    400,
  );
});

test('a queue keeps order and refuses what is above its bound', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat(), fc.constant('take' as const)), { maxLength: 5000 }), (steps) => {
      const queue = new BoundedQueue<number>('test', 50);
      const model: number[] = [];
      for (const step of steps) {
        if (step === 'take') assert.equal(queue.take(), model.shift());
        else if (queue.offer(step)) model.push(step);
        else assert.equal(model.length, 50);
        assert.equal(queue.size, model.length);
        assert.equal(queue.peek(), model[0]);
      }
    }),
  );
});

test('an error carries its code, its facts in the text, and its cause', () => {
  const errors = defineErrors('LINK', { PEER_GONE: { text: 'peer {node} closed the session', retry: 'backoff' } });
  const cause = new Error('reset');
  const error = errors.PEER_GONE({ node: 'edge-1' }, { cause });
  assert.equal(error.message, 'peer edge-1 closed the session');
  assert.equal(error.retry, 'backoff');
  assert.equal(error.cause, cause);
  assert.ok(hasCode(error, 'LINK_PEER_GONE'));
  assert.ok(!hasCode(error, 'LINK_OTHER'));
});

test('a person reads the sentence, the cause where it says more, and the code, each once', () => {
  const errors = defineErrors('STORE', {
    OPEN: { text: 'open of {file} failed', retry: 'never' },
    LOCKED: { text: '{file} is in use', retry: 'never', isWhole: true },
  });
  const cause = new Error('disk full');
  assert.equal(describeError(errors.OPEN({ file: 'a' }, { cause })), 'open of a failed: disk full [STORE_OPEN]');
  assert.equal(describeError(errors.LOCKED({ file: 'a' }, { cause })), 'a is in use [STORE_LOCKED]');
  assert.equal(describeError(errors.OPEN({ file: 'disk full' }, { cause })), 'open of disk full failed [STORE_OPEN]');
  const inner = errors.OPEN({ file: 'a in b [CLOUD_BUSY]' });
  assert.equal(describeError(inner), 'open of a in b [CLOUD_BUSY] failed');
  assert.equal(describeError(cause), 'disk full');
});

test('identifiers have the forms that Kubernetes clients expect', () => {
  assert.match(newUid(), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.match(newNameSuffix(), /^[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  assert.equal(newNameSuffix(40).length, 40);
});

test('a log line is one JSON object with constant message and data in fields', () => {
  const lines: string[] = [];
  const log = jsonLogger({ write: (line) => lines.push(line), now: () => 0, level: 'info' });
  log.debug({}, 'not written');
  log.child({ node: 'edge-1' }).warn({ error: new Error('boom', { cause: new Error('why') }) }, 'session lost');
  assert.deepEqual(
    lines.map((line) => JSON.parse(line)),
    [
      {
        time: '1970-01-01T00:00:00.000Z',
        level: 'warn',
        msg: 'session lost',
        node: 'edge-1',
        error: { message: 'boom', cause: { message: 'why' } },
      },
    ],
  );
});
