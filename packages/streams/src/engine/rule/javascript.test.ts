import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RuleFunction } from '../../kinds/rule.ts';
import type { Value } from '../../sql/index.ts';
import { openFunctions } from './javascript.ts';

/** A clock that goes on by a millisecond each time that it is asked. */
function askedClock(): () => number {
  let now = 0;
  return () => now++;
}

/** What a function makes of arguments, or what it says against them. */
async function check(
  javascript: string,
  args: readonly Value[],
  expected: { readonly is?: Value; readonly fails?: RegExp },
): Promise<void> {
  const facts: RuleFunction = { name: 'f', parameters: args.map(() => 'Any'), javascript, maxBytes: 1024 * 1024 };
  const opened = await openFunctions([facts], askedClock());
  try {
    const [f] = opened.functions;
    assert.ok(f !== undefined);
    if (expected.fails !== undefined) assert.throws(() => f.call(args), expected.fails);
    else assert.deepEqual(f.call(args), expected.is);
    // It goes on after whatever happened.
    assert.doesNotThrow(() => {
      try {
        f.call(args);
      } catch (error) {
        assert.match((error as Error).name, /RowError/);
      }
    });
  } finally {
    opened.close();
  }
}

test('a function gets values and gives one', async () => {
  await check('return a * b', [6, 7], { is: 42 });
  await check('return a.list.map((x) => x + b)', [{ list: [1, 2] }, 1], { is: [2, 3] });
  await check('return { upper: a.toUpperCase(), isMissing: b === null }', ['x', undefined], {
    is: { upper: 'X', isMissing: true },
  });
});

test('what a function throws is told', () =>
  check('throw new TypeError("not a meter")', [1], { fails: /f: TypeError: not a meter/ }));

test('a function that does not end is ended', () => check('for (;;) {}', [1], { fails: /f: took longer than 50 ms/ }));

test('a function that takes too much memory gets no more', () =>
  check('const all = []; for (;;) all.push(new Array(1000).fill(a))', [1], { fails: /out of memory|longer than/ }));

test('a function that calls itself without end is ended', () =>
  check('const again = () => again() + 1; return again()', [1], { fails: /stack|longer than/ }));

test('nothing of this process can be reached', async () => {
  await check('return [typeof process, typeof require, typeof fetch, typeof globalThis.setTimeout]', [1], {
    is: ['undefined', 'undefined', 'undefined', 'undefined'],
  });
  await check('return this.constructor.constructor("return typeof process")()', [1], { is: 'undefined' });
});

test('text that is no JavaScript makes no function, and says where', () =>
  assert.rejects(openFunctions([{ name: 'f', javascript: 'return (' }], askedClock()), /function f: SyntaxError/));

test('text in values is text', () =>
  check('return a', ['`{process}"\\u2028</script>'], { is: '`{process}"\\u2028</script>' }));

test('whatever of it runs while its result or its error is read must end in time too', async () => {
  await check('return { toJSON() { for (;;) {} } }', [1], { fails: /f: took longer than 50 ms/ });
  await check('return { get x() { for (;;) {} } }', [1], { fails: /f: took longer than 50 ms/ });
  await check('throw { toString() { for (;;) {} } }', [1], { fails: /f: threw what cannot be told/ });
  await check('throw Object.defineProperty(new Error(), "message", { get() { for (;;) {} } })', [1], {
    fails: /f: threw what cannot be told/,
  });
});

test('whatever is thrown is told', async () => {
  await check('throw null', [1], { fails: /f: null/ });
  await check('throw "no"', [1], { fails: /f: no/ });
});

test('what is no value of a row is refused', async () => {
  await check('return Symbol("x")', [1], { fails: /gave a symbol/ });
  await check('return () => 1', [1], { fails: /gave a function/ });
  await check('let all = []; for (let i = 0; i < 200; i++) all = [all]; return all', [1], { fails: /128 levels/ });
});

test('values that are too large or too deep are refused in words, and all goes on', async () => {
  const long = 'x'.repeat(20 * 1024 * 1024);
  await check('return a', [long], { fails: /f: out of memory for its arguments/ });
  await check('return a', [1, { long }], { fails: /f: out of memory for its arguments/ });
  await check('return "é".repeat(700 * 1024)', [1], { fails: /out of memory for its result/ });
  let deep: Value = 1;
  for (let level = 0; level < 20_000; level++) deep = [deep];
  await check('return 1', ['x', deep], { fails: /too deep/ });
});
