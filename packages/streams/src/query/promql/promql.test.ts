import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { PromQlError } from './ast.ts';
import { evaluatePromQl } from './evaluate.ts';
import { parsePromQl } from './parse.ts';
import { type Given, memorySource } from './testing/memory-source.ts';
import { keyOf } from './vector.ts';

const MINUTE = 60_000;

/** A value a minute, from the first minute on. */
const every = (labels: Given['labels'], values: readonly number[]): Given => ({
  labels,
  points: values.map((value, minute) => [minute * MINUTE, value] as const),
});

const PRESSES = [
  every({ property: 'load', device: 'a', line: '1' }, [1, 2, 3, 4]),
  every({ property: 'load', device: 'b', line: '1' }, [10, 20, 30, 40]),
  every({ property: 'load', device: 'c', line: '2' }, [100, 100, 100, 100]),
  every({ property: 'limit', device: 'a' }, [2, 2, 2, 2]),
  every({ property: 'count', device: 'a' }, [5, 8, 1, 4]),
  every({ __name__: 'up' }, [1, 1, 1, 1]),
  every({ site: 'north' }, [7, 7, 7, 7]),
];

/** At the third minute: each series as its labels and its value. */
async function check(query: string, expected: Record<string, number> | number): Promise<void> {
  const at = 3 * MINUTE;
  const { value } = await evaluatePromQl(memorySource(PRESSES), { query, start: at, end: at, step: MINUTE });
  if (value.type === 'scalar') return assert.equal(value.values[0], expected, query);
  assert.ok(value.type === 'vector', query);
  const found = value.series.map(({ labels, values }) => [
    Array.from(labels, ([name, text]) => `${name}=${text}`).join(','),
    values[0],
  ]);
  assert.deepEqual(Object.fromEntries(found), expected, query);
}

const CASES: readonly (readonly [query: string, expected: Record<string, number> | number])[] = [
  ['load{device="a"}', { '__name__=load,device=a,line=1': 4 }],
  ['up', { '__name__=up': 1 }],
  ['value{site="north"}', { '__name__=value,site=north': 7 }],
  [
    '{__name__=~"l.*",device=~"a|b",line!=""} offset 1m',
    { '__name__=load,device=a,line=1': 3, '__name__=load,device=b,line=1': 30 },
  ],
  ['load{device="a"} @ 0', { '__name__=load,device=a,line=1': 1 }],
  ['sum(load)', { '': 144 }],
  ['sum by (line) (load)', { 'line=1': 44, 'line=2': 100 }],
  ['max without (device) (load)', { 'line=1': 40, 'line=2': 100 }],
  ['topk(1, load)', { '__name__=load,device=c,line=2': 100 }],
  ['bottomk by (line) (1, load)', { '__name__=load,device=a,line=1': 4, '__name__=load,device=c,line=2': 100 }],
  ['count_values("v", load)', { 'v=4': 1, 'v=40': 1, 'v=100': 1 }],
  ['quantile(0.5, load)', { '': 40 }],
  ['load > 30', { '__name__=load,device=b,line=1': 40, '__name__=load,device=c,line=2': 100 }],
  ['load > bool 30', { 'device=a,line=1': 0, 'device=b,line=1': 1, 'device=c,line=2': 1 }],
  ['load / on (device) limit', { 'device=a': 2 }],
  ['load * on (device) group_left limit', { 'device=a,line=1': 8 }],
  ['load unless on (device) limit', { '__name__=load,device=b,line=1': 40, '__name__=load,device=c,line=2': 100 }],
  ['limit or up', { '__name__=limit,device=a': 2, '__name__=up': 1 }],
  ['increase(count{device="a"}[3m])', { 'device=a': 6 }],
  ['resets(count[10m])', { 'device=a': 1 }],
  ['avg_over_time(load{device="a"}[2m])', { 'device=a,line=1': 3.5 }],
  ['max_over_time(sum(load)[3m:1m])', { '': 144 }],
  ['-load{device="a"} ^ 2', { 'device=a,line=1': -16 }],
  ['1 + 2 * 3', 7],
  ['2 ^ 3 ^ 2', 512],
  ['1h', 3600],
  ['absent(load{device="z"})', { 'device=z': 1 }],
  ['absent(load)', {}],
  ['label_replace(up, "a", "$1!", "__name__", "(u).*")', { '__name__=up,a=u!': 1 }],
  ['label_join(up, "a", "-", "__name__", "__name__")', { '__name__=up,a=up-up': 1 }],
  ['scalar(load)', Number.NaN],
  ['vector(time())', { '': 180 }],
  ['clamp(load, 5, 50)', { 'device=a,line=1': 5, 'device=b,line=1': 40, 'device=c,line=2': 50 }],
  ['sum(load) / limit offset 1m', {}],
  ['load{device="a"} - load{device="a"} offset 1m', { 'device=a,line=1': 1 }],
];

for (const [query, expected] of CASES) test(query, () => check(query, expected));

test('what is wrong is told with its place', async () => {
  for (const [query, words] of [
    ['sum(load', /unexpected end of the query \(at character 9\)/],
    ['load{device=a}', /unexpected "a}" \(at character 13\)/],
    ['{device=~".*"}', /at least one matcher/],
    ['load{device=~"("}', /no regular expression/],
    ['rate(load)', /rate\(\) needs a range/],
    ['load[5m]', /needs a function around it/],
    ['nonsense(load)', /the function nonsense is not there|unexpected/],
    ['sum(1)', /sum needs a vector/],
    ['1 > 2', /needs "bool"/],
    ['load / on (line) load', /several series/],
    ['load + on (line) group_left load', /several series/],
    ['(load + up) offset 1m', /belong to a selector/],
    ['label_replace(load, "device", "x", "", "")', /two series with the same labels/],
    ['', /unexpected end/],
  ] as const)
    await assert.rejects(evaluatePromQl(memorySource(PRESSES), { query, start: 0, end: 0, step: 1 }), (error) => {
      assert.ok(error instanceof PromQlError, `${query}: ${error}`);
      assert.match(error.message, words, query);
      return true;
    });
});

test('a query of too many steps is refused before it runs', () =>
  assert.rejects(
    evaluatePromQl(memorySource([]), { query: '1', start: 0, end: 1e9, step: 1 }),
    /make the step longer/,
  ));

test('bad values are not there, and a selector looks back no further than it may', async () => {
  const source = memorySource([
    {
      labels: { property: 'p' },
      points: [
        [0, 1],
        [MINUTE, 2, 0],
      ],
    },
  ]);
  const ask = async (minute: number): Promise<number | undefined> => {
    const at = minute * MINUTE;
    const { value } = await evaluatePromQl(source, { query: 'p', start: at, end: at, step: 1 });
    return value.type === 'vector' ? value.series[0]?.values[0] : undefined;
  };
  assert.deepEqual([await ask(1), await ask(4.9), await ask(5)], [1, 1, undefined]);
});

test('a query over a range is what instants along it are', () =>
  fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...CASES.map(([query]) => query).filter((query) => !query.includes('topk'))),
      async (query) => {
        const source = memorySource(PRESSES);
        const range = await evaluatePromQl(source, { query, start: 0, end: 3 * MINUTE, step: MINUTE });
        for (let step = 0; step <= 3; step++) {
          const at = step * MINUTE;
          // A subquery without a step takes that of the query, and here all are a minute.
          const instant = await evaluatePromQl(source, { query, start: at, end: at, step: MINUTE });
          assert.deepEqual(atStep(range, step), atStep(instant, 0), `${query} at ${step}`);
        }
      },
    ),
    { numRuns: runs(40) },
  ));

function atStep({ value }: Awaited<ReturnType<typeof evaluatePromQl>>, step: number): unknown {
  if (value.type === 'scalar') return value.values[step];
  if (value.type === 'string') return value.text;
  const there = value.series.filter(({ present }) => present[step] !== 0);
  return new Map(there.map(({ labels, values }) => [keyOf(labels), values[step]]));
}

test('no text makes the parser fail in another way than by a PromQlError', () =>
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.constantFrom(
            'sum',
            '(',
            ')',
            '{',
            '}',
            'a',
            '=',
            '"x"',
            '[5m]',
            'by',
            'offset',
            '1m',
            '@',
            '-',
            '/',
            'on',
            ',',
            ':',
            '5',
          ),
          fc.string({ maxLength: 3 }),
        ),
        { maxLength: 20 },
      ),
      (parts) => {
        try {
          parsePromQl(parts.join(' '));
        } catch (error) {
          assert.ok(error instanceof PromQlError, `${parts.join(' ')}: ${error}`);
        }
      },
    ),
    { numRuns: runs(500) },
  ));
