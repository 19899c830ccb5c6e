import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { failedCaptures } from './captures.ts';
import { type Crc, checksumOf } from './checksum.ts';
import { compileFrames, type FramesOptions } from './description.ts';
import { FramesError } from './frames-error.ts';
import { hexText } from './hex.ts';
import { encodeFrame, recognise } from './layout.ts';
import { FrameSplitter } from './splitter.ts';

/** The values that catalogues of checksums give for the digits 1 to 9. */
const CHECKED: Readonly<Record<string, number>> = {
  Sum8: 0xdd,
  Sum16: 0x1dd,
  Xor8: 0x31,
  Lrc: 0x23,
  Crc8: 0xf4,
  Crc8Maxim: 0xa1,
  Crc16Modbus: 0x4b37,
  Crc16Arc: 0xbb3d,
  Crc16Ccitt: 0x29b1,
  Crc16Xmodem: 0x31c3,
  Crc16Kermit: 0x2189,
  Crc16X25: 0x906e,
  Crc32: 0xcbf43926,
};

for (const [kind, expected] of Object.entries(CHECKED))
  test(`${kind} of the nine digits is what catalogues say`, () =>
    assert.equal(checksumOf(kind, undefined)?.of(Buffer.from('123456789')), expected));

test('a cyclic code is what its parameters say', () => {
  const bzip2: Crc = { width: 32, polynomial: 0x04c11db7, initial: 0xffffffff, finalXor: 0xffffffff, reflected: false };
  assert.equal(checksumOf('Crc', bzip2)?.of(Buffer.from('123456789')), 0xfc891918);
  assert.equal(checksumOf('Crc', undefined), undefined);
});

/** By length, with a sequence and a CRC. */
const SCALE: FramesOptions = {
  frame: [
    { bytes: 'aa55' },
    { role: 'Length', counts: 'Body' },
    { role: 'Sequence' },
    { name: 'command' },
    { role: 'Body' },
    { role: 'Checksum', kind: 'Crc16Modbus', byteOrder: 'little', from: 2 },
  ],
  messages: [
    { name: 'ask', with: { command: 1 } },
    {
      name: 'weight',
      with: { command: 0x81 },
      body: [
        { name: 'net', type: 'int32', byteOrder: 'little' },
        { name: 'unit', type: 'string' },
      ],
    },
  ],
};

/** By an end, with digits as a checksum. */
const METER: FramesOptions = {
  frame: [{ bytes: '02' }, { role: 'Body' }, { role: 'Checksum', kind: 'Xor8', hex: true, from: 1 }, { bytes: '03' }],
  messages: [{ name: 'flow', body: [{ bytes: '46' }, { name: 'text', type: 'string' }] }],
};

/** By size. */
const BEACON: FramesOptions = {
  frame: [{ bytes: '7e' }, { role: 'Body' }, { role: 'Checksum', kind: 'Sum8' }],
  messages: [{ name: 'beacon', body: [{ name: 'level', type: 'uint16' }] }],
};

/** Between marks, in which bytes that look like marks are escaped; the parts are known kinds and one of a maker. */
const stuffed = (stuffing: NonNullable<FramesOptions['stuffing']>): FramesOptions => ({
  stuffing,
  frame: [{ name: 'station' }, { role: 'Body' }, { role: 'Checksum', kind: 'Sum8' }],
  messages: [{ name: 'raw', body: [{ name: 'bytes', type: 'bytes' }] }],
});
const STUFFINGS: readonly NonNullable<FramesOptions['stuffing']>[] = [
  { kind: 'Hdlc' },
  { kind: 'Dle' },
  { kind: 'Dle', tail: 1 },
  {
    kind: 'Custom',
    start: '02',
    end: '03',
    escape: '1b',
    replace: [
      { byte: '02', by: 'e7' },
      { byte: '03', by: 'e8' },
      { byte: '1b', by: '00' },
    ],
  },
];
/** Bytes of which most mean something to one of them. */
const awkward = fc
  .array(fc.constantFrom(0x02, 0x03, 0x10, 0x1b, 0x7d, 0x7e, 0xc0, 0xdb, 0xe7, 0x00), { maxLength: 12 })
  .map((bytes) => hexText(Uint8Array.from(bytes)));

interface Sample {
  readonly options: FramesOptions;
  readonly message: string;
  readonly values: fc.Arbitrary<Readonly<Record<string, string | number>>>;
}

const plain = { noNullPrototype: true };

const SAMPLES: readonly Sample[] = [
  {
    options: SCALE,
    message: 'weight',
    values: fc.record(
      { net: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), unit: fc.constantFrom('kg', 'lb', '') },
      plain,
    ),
  },
  { options: METER, message: 'flow', values: fc.record({ text: fc.stringMatching(/^[0-9.]{0,9}$/) }, plain) },
  { options: BEACON, message: 'beacon', values: fc.record({ level: fc.integer({ min: 0, max: 65_535 }) }, plain) },
  ...STUFFINGS.map((stuffing) => ({
    options: stuffed(stuffing),
    message: 'raw',
    values: fc.record({ station: fc.integer({ min: 0, max: 255 }), bytes: awkward }, plain),
  })),
];

for (const { options, message, values } of SAMPLES)
  test(`frames of ${message}${stuffingName(options)} come out as they went in, however their bytes come and whatever is between them`, () => {
    const frames = compileFrames(options);
    const sending = frames.messages.get(message);
    assert.ok(sending !== undefined);
    const check = (
      given: readonly Readonly<Record<string, string | number>>[],
      noise: readonly number[],
      size: number,
    ) => {
      const wire = Buffer.concat(
        given.flatMap((each, at) => [Uint8Array.from(noise), encodeFrame(frames, sending, each, at)]),
      );
      const splitter = new FrameSplitter(frames);
      const seen: unknown[] = [];
      for (let at = 0; at < wire.length; at += size)
        for (const frame of splitter.push(wire.subarray(at, at + size)).frames) {
          const [, found] = recognise(frames, frame) ?? [];
          seen.push(Object.fromEntries(Object.keys(given[0] ?? {}).map((name) => [name, written(found?.[name])])));
        }
      assert.deepEqual(seen, given);
    };
    // Noise that begins no frame.
    const noise = fc.array(fc.integer({ min: 0x10, max: 0x6f }), { maxLength: 5 });
    const property = fc.property(fc.array(values, { maxLength: 5 }), noise, fc.integer({ min: 1, max: 30 }), check);
    fc.assert(property, { numRuns: runs(200) });
  });

test('bytes that look like marks are escaped as each kind says', () => {
  const check = (stuffing: NonNullable<FramesOptions['stuffing']>, bytes: string, expected: string) => {
    const frames = compileFrames(stuffed(stuffing));
    const raw = frames.messages.get('raw');
    assert.ok(raw !== undefined);
    assert.equal(hexText(encodeFrame(frames, raw, { station: 1, bytes })), expected);
  };
  check({ kind: 'Slip' }, 'c0 db', '01 db dc db dd 9c c0');
  check({ kind: 'Hdlc' }, '7e 7d', '7e 01 7d 5e 7d 5d fc 7e');
  check({ kind: 'Dle' }, '10 03', '10 02 01 10 10 03 14 10 03');
  check({ kind: 'Dle', tail: 1 }, '0f', '10 02 01 0f 10 03 10');
});

test('one mark ends a frame and begins the next, and what has no end is left when another begins', () => {
  const check = (stuffing: NonNullable<FramesOptions['stuffing']>, wire: string, expected: object) => {
    const { frames, damaged } = new FrameSplitter(compileFrames(stuffed(stuffing))).push(Buffer.from(wire, 'hex'));
    assert.deepEqual({ frames: frames.map(hexText), damaged }, expected);
  };
  check({ kind: 'Hdlc' }, '7e0101027e0202047e7e0303067e', { frames: ['01 01 02', '02 02 04', '03 03 06'], damaged: 0 });
  check({ kind: 'Slip' }, 'c0010102c0c0020204c0', { frames: ['01 01 02', '02 02 04'], damaged: 0 });
  check({ kind: 'Dle' }, '100201011002020204' + '1003', { frames: ['02 02 04'], damaged: 1 });
  check({ kind: 'Dle' }, '1002011041' + '1002020204' + '1003', { frames: ['02 02 04'], damaged: 1 });
  check({ kind: 'Hdlc' }, '7e01017d7e0202047e', { frames: ['02 02 04'], damaged: 1 });
});

test('one changed bit is a damaged frame, and the frame after it is read', () => {
  const frames = compileFrames(SCALE);
  const weight = frames.messages.get('weight');
  assert.ok(weight !== undefined);
  const frame = encodeFrame(frames, weight, { net: 5, unit: 'kg' });
  for (let bit = 24; bit < frame.length * 8; bit++) {
    const damaged = frame.slice();
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const split = new FrameSplitter(frames).push(Buffer.concat([damaged, frame]));
    assert.equal(split.damaged, 1, `bit ${bit}`);
    assert.deepEqual(split.frames.map(hexText), [hexText(frame)]);
  }
});

test('captures tell where a description is wrong, in words', () => {
  const check = (capture: NonNullable<FramesOptions['captures']>[number], expected: readonly string[]) => {
    const options = { ...BEACON, captures: [capture] };
    assert.deepEqual(failedCaptures(compileFrames(options), options), expected);
  };
  const [good, bad] = ['7e 01 02 81', '7e 01 02 82'];
  check({ bytes: good, message: 'beacon', fields: { level: 258 } }, []);
  check({ bytes: good, message: 'beacon', fields: { level: 513 } }, ['captures[0]: level is 258, not 513']);
  check({ bytes: bad, message: 'beacon' }, ['captures[0]: the checksum is wrong']);
  check({ bytes: bad }, []);
  check({ bytes: good }, ['captures[0]: the bytes are to be no message, but are beacon']);
  check({ bytes: good, message: 'beacon', fields: { level: 258 }, sent: true }, []);
  check({ bytes: bad, message: 'beacon', fields: { level: 258 }, sent: true }, [
    'captures[0]: beacon is sent as 7e 01 02 81',
  ]);
});

test('a description that says not where a frame ends, or what is in it, is refused by name', () => {
  const check = (options: FramesOptions, expected: RegExp) =>
    assert.throws(
      () => compileFrames(options),
      (error) => error instanceof FramesError && expected.test(error.message),
    );
  check({}, /one part has the role Body/);
  check({ frame: [{ role: 'Body' }], messages: [{ name: 'a', body: [{ name: 'x', type: 'bytes' }] }] }, /one size/);
  check({ frame: [{ role: 'Body' }, { role: 'Length' }] }, /Length comes before/);
  check({ frame: [{ role: 'Body' }, { role: 'Checksum', kind: 'Sum9' }] }, /frame\[1\]: kind/);
  check({ frame: [{ bytes: '0' }, { role: 'Body' }] }, /pairs of hexadecimal digits/);
  check({ frame: [{ type: 'string' }, { role: 'Body' }] }, /needs a length/);
  check({ ...BEACON, requests: [{ name: 'r', send: 'nothing' }] }, /no message nothing/);
  check({ ...BEACON, stuffing: { kind: 'Custom', start: '02' } }, /stuffing\.escape/);
  check({ ...BEACON, stuffing: { kind: 'Custom', end: '03', escape: '10' } }, /the escape itself/);
  check(
    { ...BEACON, stuffing: { kind: 'Custom', end: '03', escape: '10', replace: [{ byte: '10', by: '11' }] } },
    /first byte of start and of end/,
  );
  check({ ...BEACON, identity: ['station'] }, /identity: the frame has no field station/);
  check({ ...stuffed({ kind: 'Slip' }), identity: ['station'] }, /identity: values has no station/);
});

function stuffingName({ stuffing }: FramesOptions): string {
  return stuffing === undefined ? '' : ` in ${stuffing.kind}${stuffing.tail === undefined ? '' : ' with a tail'}`;
}

/** Bytes as the samples have them. */
function written(value: unknown): unknown {
  return value instanceof Uint8Array ? hexText(value) : value;
}
