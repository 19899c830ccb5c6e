import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { snappyCompress } from 'hyparquet-writer/src/snappy.js';
import { encodeLines } from '../../outlets/influx.ts';
import { encodeWriteRequest } from '../../outlets/prometheus.ts';
import { rowsOf } from '../../outlets/testing/rows.ts';
import { Tally } from '../../outlets/values.ts';
import { type Precision, parseLines } from './line-protocol.ts';
import { readWriteRequest } from './remote-write.ts';

const NOW = 1_700_000_000_000;

function check(text: string, expected: readonly unknown[], precision: Precision = 'ns'): void {
  const { points, refused } = parseLines(text, { precision, now: NOW });
  assert.deepEqual(refused, []);
  assert.deepEqual(
    points.map(({ labels, type, time, value }) => [labels, type, time, value]),
    expected,
  );
}

test('each field of a line is a series with the tags as labels', () =>
  check('press,line=1,device=a load=1.5,count=3i,on=t,name="x, y=z" 1700000000000000000', [
    [{ line: '1', device: 'a', __name__: 'press_load' }, 'float64', NOW, 1.5],
    [{ line: '1', device: 'a', __name__: 'press_count' }, 'int64', NOW, 3],
    [{ line: '1', device: 'a', __name__: 'press_on' }, 'bool', NOW, 1],
    [{ line: '1', device: 'a', __name__: 'press_name' }, 'string', NOW, 'x, y=z'],
  ]));

test('a field called value is the measurement itself; escapes, comments and empty lines are known', () =>
  check('# a comment\n\na\\ b\\,c,t\\=g=v\\ w value=-1e3\r\nq value="say \\"hi\\"\nthere" 1\n', [
    [{ 't=g': 'v w', __name__: 'a b,c' }, 'float64', NOW, -1000],
    [{ __name__: 'q' }, 'string', 0, 'say "hi"\nthere'],
  ]));

test('times have the precision that was named', () => {
  for (const [precision, text, time] of [
    ['ns', '1700000000123456789', 1_700_000_000_123.456],
    ['us', '1700000000123456', 1_700_000_000_123.456],
    ['ms', '1700000000123', 1_700_000_000_123],
    ['s', '1700000000', NOW],
    ['m', '2', 120_000],
    ['h', '-1', -3_600_000],
  ] as const)
    check(`m value=1 ${text}`, [[{ __name__: 'm' }, 'float64', time, 1]], precision);
});

test('integers keep their 64 bits', () =>
  check('m value=9223372036854775807i\nm value=-9223372036854775808i\nm value=18446744073709551615u', [
    [{ __name__: 'm' }, 'int64', NOW, 9223372036854775807n],
    [{ __name__: 'm' }, 'int64', NOW, -9223372036854775808n],
    [{ __name__: 'm' }, 'uint64', NOW, 18446744073709551615n],
  ]));

test('a line that cannot be read is told by its number, and keeps no others out', () => {
  const text = [
    'ok value=1',
    'm',
    'm value',
    'm value=x',
    'm value=9223372036854775808i',
    ',a=b v=1',
    'm v=1 x',
    'm v=1 1 2',
    'm v="',
    'ok value=2',
  ];
  const { points, refused } = parseLines(text.join('\n'), { precision: 'ns', now: NOW });
  assert.deepEqual(
    points.map(({ value }) => value),
    [1],
  );
  assert.deepEqual(
    refused.map(({ line }) => line),
    [2, 3, 4, 5, 6, 7, 8, 9],
  );
});

test('what the line protocol outlet writes is read as it was', () =>
  fc.assert(
    fc.property(
      // A name cannot end with a backslash, nor hold a line's end: the protocol has no way to say so.
      fc.dictionary(fc.stringMatching(/^[a-z ,="]{1,5}$/), fc.stringMatching(/^[^\\\n\r]{1,10}$/), { maxKeys: 5 }),
      fc.oneof(
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.string(),
        fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
      ),
      (tags, value) => {
        const type = typeof value === 'number' ? 'float64' : typeof value === 'bigint' ? 'int64' : 'string';
        const rows = rowsOf({ ...tags, __name__: 'm' }, type, [[NOW + 0.25, value]]);
        const text = encodeLines([rows], { prefix: '', tally: new Tally() });
        const { points, refused } = parseLines(text, { precision: 'ns', now: 0 });
        assert.deepEqual(refused, [], text);
        const [point] = points;
        assert.deepEqual(point?.labels, { ...tags, __name__: 'm' });
        assert.equal(point?.time, NOW + 0.25);
        assert.equal(typeof value === 'bigint' ? BigInt(point?.value ?? '') : point?.value, value === 0 ? 0 : value);
      },
    ),
    { numRuns: runs(200) },
  ));

test('what the remote write outlet sends is read as it was, without the ends of series', () => {
  const rows = [
    rowsOf({ __name__: 'a', x: 'y' }, 'float64', [
      [NOW, 1.5],
      [NOW + 1, -0],
    ]),
  ];
  const body = snappyCompress(encodeWriteRequest(rows, { prefix: '', tally: new Tally() }));
  assert.deepEqual(readWriteRequest(body), [
    { labels: { __name__: 'a', x: 'y' }, times: [NOW, NOW + 1], values: [1.5, -0] },
  ]);
});

test('no body makes the reader fail in another way than by an Error, nor take memory that it only claims', () =>
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        readWriteRequest(bytes);
        readWriteRequest(snappyCompress(bytes));
      } catch (error) {
        assert.ok(error instanceof Error);
      }
    }),
    { numRuns: runs(300) },
  ));

test('a length beyond the bound is refused before anything is made', () =>
  assert.throws(() => readWriteRequest(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x0f, 0)), /at most/));
