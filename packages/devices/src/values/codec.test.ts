import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { compileCodec, wireReader } from './codec.ts';
import type { Encoding, RawValue } from './encoding.ts';
import { ExpressionError } from './expression.ts';
import { isSameValue, type Value, ValueError, valueFromBus, valueFromJson, valueToBus, valueToJson } from './value.ts';
import { parseValueType, SCALAR_TYPES, type ScalarType, type ValueType } from './value-type.ts';

function typeOf(text: string): ValueType {
  const type = parseValueType(text);
  assert.ok(typeof type !== 'string', String(type));
  return type;
}

interface Case {
  readonly type: string;
  readonly encoding?: Encoding;
  readonly unit?: string;
  /** Hexadecimal text stands for bytes. */
  readonly raw: RawValue;
}

function decoded({ type, unit, encoding, raw }: Case): Value {
  const given = typeof raw === 'string' && raw.startsWith('hex:') ? Buffer.from(raw.slice(4), 'hex') : raw;
  return compileCodec(typeOf(type), unit, encoding).decode(given);
}

/** Decodes; and where it can be written, encodes back to the same. */
function check(sample: Case, expected: Value): void {
  assert.deepEqual(decoded(sample), expected);
  const { type, unit, encoding, raw } = sample;
  if (typeof raw !== 'string' || !raw.startsWith('hex:') || encoding?.bitMask !== undefined) return;
  const bytes = compileCodec(typeOf(type), unit, encoding).encode(expected, true);
  assert.equal(Buffer.from(bytes as Uint8Array).toString('hex'), raw.slice(4));
}

function refused(sample: Case, words: RegExp): void {
  assert.throws(
    () => decoded(sample),
    (error) => (error instanceof ValueError || error instanceof ExpressionError) && words.test(error.message),
  );
}

test('the four orders in which devices send a 32-bit number', () => {
  const orders: readonly (readonly [Encoding, string])[] = [
    [{}, '42f6e979'],
    [{ wordOrder: 'little' }, 'e97942f6'],
    [{ byteOrder: 'little' }, 'f64279e9'],
    [{ byteOrder: 'little', wordOrder: 'little' }, '79e9f642'],
  ];
  for (const [encoding, bytes] of orders)
    check({ type: 'float32', encoding, raw: `hex:${bytes}` }, Math.fround(123.456));
});

test('integers of every width, exact', () => {
  check({ type: 'int8', raw: 'hex:ff' }, -1);
  check({ type: 'uint16', raw: 'hex:ffff' }, 65_535);
  check({ type: 'int16', raw: 'hex:8000' }, -32_768);
  check({ type: 'uint32', encoding: { wordOrder: 'little' }, raw: 'hex:00010002' }, 131_073);
  check({ type: 'uint64', raw: 'hex:ffffffffffffffff' }, 2n ** 64n - 1n);
  check(
    { type: 'int64', encoding: { wordOrder: 'little', byteOrder: 'little' }, raw: 'hex:0100000000000080' },
    -(2n ** 63n) + 1n,
  );
});

test('decimals, texts and bytes', () => {
  check({ type: 'uint16', encoding: { type: 'bcd16' }, raw: 'hex:1234' }, 1234);
  check({ type: 'uint32', encoding: { type: 'bcd32', wordOrder: 'little' }, raw: 'hex:56781234' }, 12_345_678);
  check({ type: 'string', encoding: { length: 6 }, raw: 'hex:416263000000' }, 'Abc');
  check({ type: 'bytes', raw: 'hex:0001' }, Buffer.from([0, 1]));
  refused({ type: 'uint16', encoding: { type: 'bcd16' }, raw: 'hex:1a00' }, /decimal/);
});

test('lists of a length take that much of the wire', () => {
  check({ type: 'uint16[3]', raw: 'hex:000100020003' }, [1, 2, 3]);
  check({ type: 'float32[2]', encoding: { type: 'int16', scale: 0.5 }, raw: 'hex:00030004' }, [1.5, 2]);
  assert.equal(compileCodec(typeOf('float32[2]'), undefined).size, 8);
  refused({ type: 'uint16[3]', raw: 'hex:00010002' }, /bytes instead of 2/);
});

test('scale, offset, expression and unit, in this order', () => {
  check({ type: 'float64', encoding: { type: 'int16', scale: 0.1, offset: -40 }, raw: 'hex:01f4' }, 10);
  check({ type: 'float64', encoding: { expression: 'x > 10 ? 10 : x * 2' }, raw: 4 }, 8);
  check({ type: 'float64', unit: 'Cel', encoding: { unit: '[degF]' }, raw: 212 }, 100.00000000000004);
  check({ type: 'float64', unit: 'bar', encoding: { unit: 'kPa', scale: 10 }, raw: 50 }, 5);
});

test('bits are taken and shifted down', () => {
  check({ type: 'uint8', encoding: { type: 'uint16', bitMask: '0x0f00' }, raw: 'hex:3a12' }, 10);
  check({ type: 'bool', encoding: { type: 'uint16', bitMask: '0x4' }, raw: 'hex:0004' }, true);
  const { mask, encode } = compileCodec(typeOf('uint8'), undefined, { type: 'uint16', bitMask: '0x0f00' });
  assert.deepEqual([mask, encode(10, false)], [0x0f00n, 0x0a00n]);
});

test('what a typed protocol made of a value is taken over', () => {
  check({ type: 'bool', raw: 'On' }, true);
  check({ type: 'int32', raw: '42' }, 42);
  check({ type: 'uint64', raw: '18446744073709551615' }, 2n ** 64n - 1n);
  check({ type: 'datetime', raw: '2026-01-01T00:00:00Z' }, Date.UTC(2026, 0, 1));
  check({ type: 'string', raw: 5 }, '5');
  check({ type: 'float32[]', raw: [1, '2'] }, [1, 2]);
});

test('what does not fit is refused and said', () => {
  refused({ type: 'int8', raw: 200 }, /between -128 and 127/);
  refused({ type: 'uint16', raw: -1 }, /between 0/);
  refused({ type: 'bool', raw: 'maybe' }, /neither true nor false/);
  refused({ type: 'float32', raw: 'abc' }, /not a number/);
  refused({ type: 'float32', raw: 'hex:0102' }, /2 bytes instead of 4/);
});

test('a value that does not fit is not written as another one', () => {
  const check = (type: string, encoding: Encoding, value: Value, words: RegExp) =>
    assert.throws(
      () => compileCodec(typeOf(type), undefined, encoding).encode(value, true),
      (error) => error instanceof ValueError && words.test(error.message),
    );
  check('uint8', { type: 'uint16', bitMask: '7' }, 9, /does not fit into the bitMask 7: 9/);
  check('int8', { type: 'uint16', bitMask: '7' }, -1, /does not fit into the bitMask 7: -1/);
  check('uint8', { type: 'uint16', bitMask: '0xb0' }, 4, /does not fit into the bitMask 176: 4/);
  check('float64', { type: 'float32' }, 1e39, /is outside of what float32 holds: 1e\+39/);
  check('float64', { type: 'float32', scale: 0.1 }, 1e38, /is outside of what float32 holds/);
  check('uint8', { type: 'bool' }, 2, /is neither 0 nor 1: 2/);
  assert.throws(() => valueFromJson(typeOf('float32'), 1e39), /is outside of what float32 holds: 1e\+39/);
  assert.equal(valueFromJson(typeOf('float32'), 'Infinity'), Number.POSITIVE_INFINITY);
  refused({ type: 'float32', raw: -1e39 }, /is outside of what float32 holds: -1e\+39/);
});

test('an encoding that cannot be is refused before anything is read', () => {
  refused({ type: 'string', encoding: { scale: 2 }, raw: 'x' }, /steps for numbers/);
  refused({ type: 'float32', encoding: { scale: 0 }, raw: 1 }, /scale 0/);
  refused({ type: 'float32', unit: 'm', encoding: { unit: 's' }, raw: 1 }, /does not measure/);
  refused({ type: 'float32', encoding: { expression: 'y' }, raw: 1 }, /no variable y/);
  refused({ type: 'uint8', encoding: { bitMask: '0x0' }, raw: 1 }, /without bits/);
});

// ——— any value ———

const integers = (least: bigint, greatest: bigint) => fc.bigInt({ min: least, max: greatest });
const numbers = (bits: number, isSigned: boolean) =>
  fc.integer(isSigned ? { min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 } : { min: 0, max: 2 ** bits - 1 });

const VALUES: Readonly<Record<ScalarType, fc.Arbitrary<Value>>> = {
  bool: fc.boolean(),
  int8: numbers(8, true),
  uint8: numbers(8, false),
  int16: numbers(16, true),
  uint16: numbers(16, false),
  int32: numbers(32, true),
  uint32: numbers(32, false),
  int64: integers(-(2n ** 63n), 2n ** 63n - 1n),
  uint64: integers(0n, 2n ** 64n - 1n),
  float32: fc.float({ noNaN: true }),
  float64: fc.double({ noNaN: true }),
  string: fc.string({ maxLength: 20 }),
  bytes: fc.uint8Array({ maxLength: 20 }),
  datetime: fc
    .date({ noInvalidDate: true, min: new Date(0), max: new Date('9999-12-31') })
    .map((date) => date.getTime()),
};

const SAMPLE = fc
  .constantFrom(...SCALAR_TYPES)
  .chain((scalar) => fc.tuple(fc.constant(scalar), VALUES[scalar], fc.array(VALUES[scalar], { maxLength: 4 })));

test('every value goes through JSON and over the bus and stays what it was', () =>
  fc.assert(
    fc.property(SAMPLE, ([scalar, value, list]) => {
      const type = typeOf(scalar);
      const json: unknown = JSON.parse(JSON.stringify(valueToJson(type, value)));
      // JSON has no negative zero.
      const expected = Object.is(value, -0) ? 0 : value;
      assert.ok(
        isSameValue(valueFromJson(type, json), expected),
        `${scalar}: ${String(value)} as ${JSON.stringify(json)}`,
      );
      assert.ok(isSameValue(valueFromBus(type, valueToBus(value)), value));
      const many = typeOf(`${scalar}[]`);
      assert.ok(isSameValue(valueFromBus(many, valueToBus(list)), list));
    }),
    { numRuns: runs(300) },
  ));

test('every number goes over every wire and stays what it was', () =>
  fc.assert(
    fc.property(
      SAMPLE.filter(([scalar]) => !['string', 'bytes', 'datetime'].includes(scalar)),
      fc.constantFrom('big', 'little'),
      fc.constantFrom('big', 'little'),
      ([scalar, value], byteOrder, wordOrder) => {
        const codec = compileCodec(typeOf(scalar), undefined, { byteOrder, wordOrder });
        const bytes = codec.encode(value, true);
        assert.ok(bytes instanceof Uint8Array && bytes.length === codec.size);
        assert.ok(isSameValue(codec.decode(bytes), value));
        // What a driver has already taken off the wire means the same.
        assert.ok(isSameValue(codec.decode(wireReader(typeOf(scalar), { byteOrder, wordOrder })(bytes)), value));
      },
    ),
    { numRuns: runs(300) },
  ));

test('JSON that is no value of the type is refused with the reason', () => {
  const wrong: readonly (readonly [string, unknown])[] = [
    ['bool', 1],
    ['int8', 128],
    ['int32', 1.5],
    ['uint64', 2 ** 60],
    ['uint64', '-1'],
    ['float64', 'x'],
    ['float64', '__proto__'],
    ['string', null],
    ['bytes', '%'],
    ['datetime', 'yesterday'],
    ['uint8[2]', [1]],
    ['uint8[]', { length: 1 }],
  ];
  for (const [type, json] of wrong)
    assert.throws(() => valueFromJson(typeOf(type), json), ValueError, `${type} ${json}`);
});

test('structures have exactly their fields, however deep', () => {
  const point = {
    name: 'Point',
    fields: [
      { name: 'x', type: 'float32' },
      { name: 'tags', type: 'string[]' },
    ],
  };
  const line = { name: 'Line', fields: [{ name: 'ends', type: 'Point[2]' }] };
  const type = parseValueType(
    'Line',
    new Map([
      ['Point', point],
      ['Line', line],
    ]),
  );
  assert.ok(typeof type !== 'string');
  const json = {
    ends: [
      { x: 0.1, tags: ['a'] },
      { x: 2, tags: [] },
    ],
  };
  assert.deepEqual(valueToJson(type, valueFromJson(type, json)), json);
  assert.throws(() => valueFromJson(type, { ends: json.ends, more: 1 }), /more/);
  assert.throws(() => valueFromJson(type, {}), /lacks the field ends/);
});

test('a type that cannot be says why', () => {
  const loop = { name: 'Loop', fields: [{ name: 'next', type: 'Loop' }] };
  assert.match(String(parseValueType('Loop', new Map([['Loop', loop]]))), /holds itself/);
  assert.match(String(parseValueType('float')), /neither one of/);
  assert.match(String(parseValueType('float32[0]')), /length/);
  assert.match(String(parseValueType('a b')), /neither NAME/);
});
