import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { spdyDictionary } from './dictionary.ts';
import { controlFrame, dataFrame, formatHeaderBlock, parseHeaderBlock, SpdyFrameParser } from './frames.ts';
import { HeaderCodec } from './header-codec.ts';

test('the dictionary is the one of the SPDY/3.1 draft', () => {
  const digest = createHash('sha256').update(spdyDictionary()).digest('hex');
  assert.equal(digest, '51d27341373f923f3cd88e1eb7162aeaa3723d7585ff2399201dc06498407f02');
});

test('frames survive any cutting of the byte stream', () => {
  const frame = fc.record({
    stream: fc.nat(),
    fin: fc.boolean(),
    payload: fc.uint8Array({ maxLength: 300 }),
    control: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(frame), fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (frames, cuts) => {
      const wire = Buffer.concat(
        frames.map(({ stream, fin, payload, control }) =>
          control ? controlFrame(8, 1, payload) : dataFrame(stream, payload, fin),
        ),
      );
      const parser = new SpdyFrameParser();
      const parsed = [];
      for (let offset = 0, turn = 0; offset < wire.length; turn++) {
        const size = cuts[turn % cuts.length] ?? 1;
        parsed.push(...parser.push(wire.subarray(offset, offset + size)));
        offset += size;
      }
      const expected = frames.map(({ stream, fin, payload, control }) =>
        control
          ? { kind: 'control', type: 8, flags: 1, payload: Buffer.from(payload) }
          : { kind: 'data', stream, fin, payload: Buffer.from(payload) },
      );
      assert.deepEqual(parsed, expected);
    }),
  );
});

test('a length above the limit is refused before anything is kept', () => {
  assert.throws(
    () => new SpdyFrameParser().push(Buffer.from('00000001ffffffff', 'hex').fill(0xff, 5)),
    /exceeds 1048576/,
  );
});

test('header blocks round-trip through both compression contexts, block after block', async () => {
  using ours = new HeaderCodec();
  using theirs = new HeaderCodec();
  for (const headers of [
    { streamtype: 'error', port: '80', requestid: '0' },
    {},
    { streamtype: 'data', port: '80', requestid: '0' },
  ]) {
    assert.deepEqual({ ...(await theirs.decode(await ours.encode(headers))) }, headers);
  }
});

test('a header block that lies about its lengths is refused', () => {
  const block = formatHeaderBlock({ a: 'b' });
  block.writeUInt32BE(0xffff_ffff, 4);
  assert.throws(() => parseHeaderBlock(block), /ends too early/);
});
