import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { parquetReadObjects } from 'hyparquet';
import { encodeGraphite } from './graphite.ts';
import { jsonRows } from './http.ts';
import { encodeLines } from './influx.ts';
import { fillTemplate, metricName, nameOf } from './names.ts';
import { encodeParquet } from './parquet.ts';
import { encodeCopy } from './postgresql.ts';
import { encodeWriteRequest } from './prometheus.ts';
import type { OutletRows, Sent } from './target.ts';
import { rowsOf } from './testing/rows.ts';
import { Tally } from './values.ts';

const PRESS = { namespace: 'plant', device: 'press-1', property: 'temperature' };
const T = 1_700_000_000_000;

/** What an encoder makes of rows, and what it counts. */
function check<T>(
  encode: (rows: readonly OutletRows[], tally: Tally) => T,
  rows: OutletRows,
  text: T,
  sent?: Sent,
): void {
  const tally = new Tally();
  assert.deepEqual(encode([rows], tally), text);
  assert.deepEqual(tally.result(), sent ?? { rows: rows.rows.length, dropped: {} });
}

const lines = (rows: readonly OutletRows[], tally: Tally) => encodeLines(rows, { prefix: '', tally });
const graphite = (rows: readonly OutletRows[], tally: Tally) =>
  encodeGraphite(rows, { template: 'a.{device}.{property}', tally });

test('a series is called by the label that names it, else "value"; the others stand beside', () => {
  assert.deepEqual(nameOf(PRESS), {
    name: 'temperature',
    labels: [
      ['device', 'press-1'],
      ['namespace', 'plant'],
    ],
  });
  assert.deepEqual(nameOf({ __name__: 'up', property: 'p' }, 'x_'), { name: 'x_up', labels: [['property', 'p']] });
  assert.deepEqual(nameOf({ site: 'north' }), { name: 'value', labels: [['site', 'north']] });
});

test('names become what Prometheus allows', () => {
  for (const [name, wanted] of [
    ['a.b-c', 'a_b_c'],
    ['9lives', '_9lives'],
    ['ok:name_1', 'ok:name_1'],
    ['温度', '__'],
    ['', '_'],
  ] as const)
    assert.equal(metricName(name), wanted);
});

test('a template takes labels, and never leaves a part empty', () =>
  assert.equal(
    fillTemplate('p.{device}.{gone}', { device: 'a.b' }, (value) => value.replaceAll('.', '_')),
    'p.a_b.none',
  ));

test('lines say of each type what it is', () => {
  const head = 'temperature,device=press-1,namespace=plant value=';
  const at = ' 1700000000000000000\n';
  for (const [type, value, field] of [
    ['float64', 21.5, '21.5'],
    ['float64', -0, '0'],
    ['int32', 7, '7i'],
    ['int64', -(2n ** 63n), '-9223372036854775808i'],
    ['uint64', 2n ** 64n - 1n, '18446744073709552000'],
    ['bool', 1, 't'],
    ['datetime', 12.5, '12i'],
    ['string', 'a "b" \\ c', '"a \\"b\\" \\\\ c"'],
    ['bytes', Uint8Array.of(1, 2), '"AQI="'],
    ['json', { a: [1] }, '"{\\"a\\":[1]}"'],
  ] as const)
    check(lines, rowsOf(PRESS, type, [[T, value]]), `${head}${field}${at}`);
});

test('lines keep microseconds, drop what is not finite, and what is bad', () => {
  const rows = rowsOf(PRESS, 'float64', [
    [T + 0.25, 1],
    [T, Number.NaN],
    [T, Number.POSITIVE_INFINITY],
    [T, 2, 0],
    [T, 3, 68],
  ]);
  check(
    lines,
    rows,
    'temperature,device=press-1,namespace=plant value=1 1700000000000250000\n' +
      'temperature,device=press-1,namespace=plant value=3 1700000000000000000\n',
    { rows: 2, dropped: { NotFinite: 2, BadQuality: 1 } },
  );
});

test('no label can make a line of its own, or another field of the line', () => {
  const evil = { property: 'a b,c\nd', tag: 'x y=z,w\n\\' };
  check(
    lines,
    rowsOf(evil, 'float64', [[T, 1]]),
    `a\\ b\\,c\\ d,tag=x\\ y\\=z\\,w\\ \\  value=1 1700000000000000000\n`,
  );
});

test('Graphite gets numbers by the second, on paths without a character that means something', () => {
  const rows = rowsOf({ device: 'a.b c', property: 'p\n' }, 'float64', [
    [T + 999, 1.5],
    [T, 'text'],
    [T, Number.NaN],
  ]);
  check(graphite, rows, 'a.a_b_c.p_ 1.5 1700000000\n', { rows: 1, dropped: { NotNumeric: 1, NotFinite: 1 } });
});

test('COPY gets every row, and nothing in a text ends a column or a row', () => {
  const rows = rowsOf({ property: 'p\t', l: 'x\\' }, 'string', [
    [T, 'a\tb\nc\\\0'],
    [T, Number.NaN, 0],
  ]);
  check(
    encodeCopy,
    rows,
    '2023-11-14T22:13:20.000Z\tp\\t\t{"l":"x\\\\\\\\"}\t\\N\ta\\tb\\nc\\\\\t192\n' +
      '2023-11-14T22:13:20.000Z\tp\\t\t{"l":"x\\\\\\\\"}\tNaN\t\\N\t0\n',
  );
});

test('JSON has time and value as others read them', () =>
  check((all, tally) => all.flatMap((one) => jsonRows(one, tally)), rowsOf(PRESS, 'bool', [[T, 1]]), [
    { time: '2023-11-14T22:13:20.000Z', labels: PRESS, value: true, quality: 192 },
  ]));

test('a write request has the sorted labels and the samples of each series', () => {
  const tally = new Tally();
  const rows = [
    rowsOf({ ...PRESS, Zone: 'ä' }, 'int64', [
      [T, 1],
      [T + 1.9, 2n ** 60n],
    ]),
    rowsOf({}, 'string', [[T, 'no']]),
  ];
  assert.deepEqual(decodeWriteRequest(encodeWriteRequest(rows, { prefix: 'p_', tally })), [
    {
      labels: { Zone: 'ä', __name__: 'p_temperature', device: 'press-1', namespace: 'plant' },
      samples: [
        [T, 1],
        [T + 1, 2 ** 60],
      ],
    },
  ]);
  assert.deepEqual(tally.result(), { rows: 2, dropped: { NotNumeric: 1 } });
});

test('a Parquet file has a column for each label, and each row', async () => {
  const tally = new Tally();
  const rows = [
    rowsOf({ ...PRESS, time: 'odd' }, 'float64', [[T, 1.5]]),
    rowsOf({ line: '2' }, 'string', [[T + 1, 'on', 0]]),
  ];
  const bytes = encodeParquet(rows, tally);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
  const none = { device: '', label_time: '', line: '', namespace: '', property: '' };
  assert.deepEqual(await parquetReadObjects({ file }), [
    { ...none, ...PRESS, label_time: 'odd', time: new Date(T), value: 1.5, text: null, quality: 192 },
    { ...none, line: '2', time: new Date(T + 1), value: null, text: 'on', quality: 0 },
  ]);
});

test('whatever the labels and texts are, a row of an encoding is a row', () =>
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.string({ unit: 'binary' })),
      fc.string({ unit: 'binary' }),
      (labels, text) => {
        const rows = rowsOf(labels, 'string', [
          [T, text],
          [T, text],
        ]);
        for (const encode of [encodeCopy, graphite]) {
          const tally = new Tally();
          const made = encode([rows], tally);
          assert.equal(made.split('\n').length - 1, tally.result().rows);
        }
        // A text in quotes may hold line feeds of its own, which the protocol allows.
        const tally = new Tally();
        const made = lines(
          [
            rowsOf(labels, 'float64', [
              [T, 1],
              [T, 2],
            ]),
          ],
          tally,
        );
        assert.equal(made.split('\n').length - 1, 2);
      },
    ),
    { numRuns: runs(100) },
  ));

interface Series {
  readonly labels: Record<string, string>;
  readonly samples: [number, number][];
}

function decodeWriteRequest(bytes: Uint8Array): Series[] {
  return fieldsOf(bytes).map(({ reader }) => {
    const series: Series = { labels: {}, samples: [] };
    for (const { field, reader: inner } of fieldsOf(reader.bytes())) {
      const one = inner.bytes();
      if (field === 1) {
        const [name, value] = fieldsOf(one).map(({ reader: text }) => text.string());
        series.labels[name ?? ''] = value ?? '';
      } else {
        const at = new BinaryReader(one);
        at.tag();
        const value = at.double();
        at.tag();
        series.samples.push([Number(at.int64()), value]);
      }
    }
    return series;
  });
}

/** Fields with a length, each with a reader that stands before its content. */
function fieldsOf(bytes: Uint8Array): { field: number; reader: BinaryReader }[] {
  const reader = new BinaryReader(bytes);
  const found: { field: number; reader: BinaryReader }[] = [];
  while (reader.pos < reader.len) {
    const [field, wire] = reader.tag();
    assert.equal(wire, WireType.LengthDelimited);
    const own = new BinaryReader(bytes);
    own.pos = reader.pos;
    found.push({ field, reader: own });
    reader.skip(wire);
  }
  return found;
}
