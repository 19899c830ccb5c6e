import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { deliver } from './deliver.ts';
import { OutletError, type OutletTarget } from './target.ts';
import { rowsOf } from './testing/rows.ts';

const forever = new AbortController().signal;

/** An engine that refuses a request with a bad value in it, and what it has taken. */
function picky(): { readonly target: OutletTarget; readonly taken: unknown[] } {
  const taken: unknown[] = [];
  const target: OutletTarget = {
    send: async (all) => {
      const values = all.flatMap(({ rows }) =>
        Array.from({ length: rows.length }, (_, row) => rows.boxed?.get(row) ?? rows.values[row]),
      );
      if (values.includes('bad')) throw new OutletError('bad', { isFinal: true });
      taken.push(...values);
      return { rows: values.length, dropped: {} };
    },
    close: async () => {},
  };
  return { target, taken };
}

test('rows that are refused keep no others from the engine, nor change their order', () =>
  fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.oneof(fc.integer(), fc.constantFrom('ok', 'text')), { minLength: 1, maxLength: 8 }), {
        minLength: 1,
        maxLength: 6,
      }),
      fc.nat(),
      async (series, place) => {
        const { target, taken } = picky();
        const all = series.flat();
        const bad = place % all.length;
        let index = 0;
        const rows = series.map((values) =>
          rowsOf(
            {},
            'string',
            values.map((value) => [0, index++ === bad ? 'bad' : value] as const),
          ),
        );
        const sent = await deliver(target, rows, { signal: forever });
        assert.deepEqual(taken, all.toSpliced(bad, 1));
        assert.deepEqual(sent, { rows: all.length - 1, dropped: { Refused: 1 } });
      },
    ),
    { numRuns: runs(100) },
  ));

test('an engine that refuses everything is not asked for ever', async () => {
  let requests = 0;
  const target: OutletTarget = {
    send: async () => {
      requests += 1;
      throw new OutletError('no', { isFinal: true });
    },
    close: async () => {},
  };
  const rows = [
    rowsOf(
      {},
      'float64',
      Array.from({ length: 5000 }, (_, index) => [index, index] as const),
    ),
  ];
  assert.deepEqual(await deliver(target, rows, { signal: forever }), { rows: 0, dropped: { Refused: 5000 } });
  assert.ok(requests < 200, `${requests}`);
});
