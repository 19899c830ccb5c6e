import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runs } from '@skerry/testkit';
import fc from 'fast-check';
import { ModbusUnit } from '../simulators/modbus/unit.ts';
import { type Frame, FramingError, type FramingName, framingNamed } from './framing.ts';
import { EXCEPTION_BIT } from './functions.ts';
import * as requests from './requests.ts';

const COLON = 0x3a;
const NAMES: readonly FramingName[] = ['TCP', 'RTU', 'ASCII'];
const hex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));

/** What the reader makes of the bytes when they come in pieces of the given sizes. */
function readInPieces(
  name: FramingName,
  reads: 'requests' | 'answers',
  bytes: Uint8Array,
  sizes: readonly number[],
): Frame[] {
  const reader = framingNamed(name).reader(reads);
  const frames: Frame[] = [];
  let at = 0;
  for (let piece = 0; at < bytes.length; piece++) {
    const size = sizes[piece % sizes.length] ?? 1;
    frames.push(...reader.push(bytes.slice(at, at + size)));
    at += size;
  }
  return frames;
}

function device(): ModbusUnit {
  const unit = new ModbusUnit({
    size: 512,
    identification: new Map([
      [0, 'Skerry'],
      [1, 'M1'],
      [2, '1.0'],
    ]),
  });
  for (const at of unit.holdingRegisters.keys()) unit.holdingRegisters[at] = at & 0xff;
  unit.files.set(4, hex('0102030405060708'));
  unit.queues.set(9, hex('01b80184'));
  return unit;
}

/** The result of the request, once device and master have understood each other. */
function ask<Result>(request: requests.ModbusRequest<Result>, unit: ModbusUnit = device()): Result {
  const answer = unit.answer(request.pdu);
  assert.equal((answer[0] ?? 0) & EXCEPTION_BIT, 0, `exception ${answer[1]}`);
  return request.result(answer);
}

// Frames of the specifications: what others send is read, and what is sent is what others expect.
test('frames are those of the specifications', () => {
  const { pdu } = requests.read(3, 0x006b, 3);
  const encoded = (name: FramingName) =>
    Buffer.from(framingNamed(name).encode({ unit: 0x11, transaction: 0x1501, pdu })).toString('hex');
  assert.equal(encoded('TCP'), '150100000006110300 6b0003'.replaceAll(' ', ''));
  assert.equal(encoded('RTU'), '1103006b00037687');
  assert.equal(Buffer.from(encoded('ASCII'), 'hex').toString('latin1'), ':1103006B00037E\r\n');
});

test('PDUs are those of the specification', () => {
  const pdus: readonly (readonly [requests.ModbusRequest<unknown>, string])[] = [
    [requests.writeCoil(0xac, true), '0500acff00'],
    [requests.writeRegister(1, hex('0003')), '0600010003'],
    [requests.writeCoils(0x13, [true, false, true, true, false, false, true, true, true, false]), '0f0013000a02cd01'],
    [requests.writeRegisters(1, hex('000a0102')), '100001000204000a0102'],
    [requests.maskWrite(4, 0xf2, 0x25), '16000400f20025'],
    [
      requests.readWrite({ readAddress: 3, readCount: 6, writeAddress: 14, bytes: hex('00ff00ff00ff') }),
      '1700030006000e00030600ff00ff00ff',
    ],
    [requests.readFile(4, 1, 2), '14070600040001 0002'.replaceAll(' ', '')],
    [requests.writeFile(4, 7, hex('06af04be100d')), '150d0600040007000306af04be100d'],
    [requests.readFifo(0x04de), '1804de'],
    [requests.diagnostics(0, 0xa537), '080000a537'],
    [requests.identify(1, 0), '2b0e0100'],
  ];
  for (const [{ pdu }, expected] of pdus) assert.equal(Buffer.from(pdu).toString('hex'), expected);
});

test('every function is carried out by the device and understood by the master', () => {
  const unit = device();
  const same = (actual: Uint8Array, expected: string) => assert.equal(Buffer.from(actual).toString('hex'), expected);
  same(ask(requests.read(3, 1, 2), unit), '02030405');
  ask(requests.writeCoils(3, [true, false, true]), unit);
  ask(requests.writeCoil(4, true), unit);
  same(ask(requests.read(1, 2, 4), unit), '0e');
  ask(requests.writeRegisters(1, hex('00120034')), unit);
  ask(requests.maskWrite(1, 0xf2, 0x25), unit);
  same(ask(requests.read(3, 1, 1), unit), '0017');
  same(
    ask(requests.readWrite({ readAddress: 1, readCount: 2, writeAddress: 2, bytes: hex('aaaa') }), unit),
    '0017aaaa',
  );
  ask(requests.writeFile(4, 1, hex('beef')), unit);
  same(ask(requests.readFile(4, 0, 3), unit), '0102beef0506');
  same(ask(requests.readFifo(9), unit), '01b80184');
  same(ask(requests.diagnostics(0, 0xa537), unit), 'a537');
  unit.exceptionStatus = 0x6d;
  same(ask(requests.readExceptionStatus(), unit), '6d');
  same(ask(requests.readEventCounter(), unit).subarray(0, 2), '0000');
  assert.equal(ask(requests.readEventLog(), unit).length, 6);
  same(ask(requests.reportServerId(), unit), '01ff4d31');
  const { objects, next } = ask(requests.identify(1, 0), unit);
  assert.deepEqual(
    [...objects.values()].map((bytes) => Buffer.from(bytes).toString()),
    ['Skerry', 'M1', '1.0'],
  );
  assert.equal(next, undefined);
});

test('what is outside of the memory, too long or unknown is refused, and nothing is changed by it', () => {
  const unit = device();
  const before = unit.holdingRegisters.slice();
  const refused = (pdu: string, code: number) =>
    assert.deepEqual([...unit.answer(hex(pdu))], [Number.parseInt(pdu.slice(0, 2), 16) | 0x80, code]);
  refused('03 01ff 0002', 2);
  refused('03 0000 007e', 3);
  refused('10 01ff 0002 04 00000000', 2);
  refused('10 0000 0002 03 000000', 3);
  refused('05 0000 1234', 3);
  refused('63', 1);
  assert.deepEqual(unit.holdingRegisters, before);
});

const anyFrame = fc.record({
  unit: fc.integer({ min: 1, max: 247 }),
  address: fc.nat(0xffff),
  bytes: fc.uint8Array({ minLength: 2, maxLength: 200 }),
});

test('frames are read whole and in order, however their bytes come', () => {
  const property = fc.property(
    fc.constantFrom(...NAMES),
    fc.array(anyFrame, { minLength: 1, maxLength: 4 }),
    fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 5 }),
    (name, list, sizes) => {
      const frames = list.map(({ unit, address, bytes }, at) => ({
        unit,
        transaction: name === 'TCP' ? at : 0,
        pdu: requests.writeRegisters(address, bytes.subarray(0, bytes.length & ~1)).pdu,
      }));
      const wire = Buffer.concat(frames.map((frame) => framingNamed(name).encode(frame)));
      const seen = readInPieces(name, 'requests', new Uint8Array(wire), sizes);
      assert.deepEqual(
        seen.map(({ unit, transaction, pdu }) => ({ unit, transaction, pdu: new Uint8Array(pdu) })),
        frames,
      );
    },
  );
  fc.assert(property, { numRuns: runs(200) });
});

test('on a serial line, a frame is found behind noise, and a frame with a wrong bit is not taken', () => {
  const property = fc.property(
    fc.constantFrom<FramingName>('RTU', 'ASCII'),
    anyFrame,
    fc.uint8Array({ maxLength: 40 }),
    fc.nat(),
    (name, { unit, bytes }, given, place) => {
      // Without what looks like the beginning of the frame itself: behind that, only the next answer is found.
      const noise = given.filter((byte) => byte !== unit && byte !== COLON);
      const pdu = Uint8Array.of(3, bytes.length & ~1, ...bytes.subarray(0, bytes.length & ~1));
      const frame = framingNamed(name).encode({ unit, transaction: 0, pdu });
      const isExpected = (of: number, code: number) => of === unit && code === 3;
      const behindNoise = framingNamed(name)
        .reader('answers', isExpected)
        .push(Buffer.concat([noise, frame]));
      assert.deepEqual(new Uint8Array(behindNoise.at(-1)?.pdu ?? []), pdu);
      const wrong = frame.slice();
      const at = name === 'ASCII' ? 1 + (place % (frame.length - 3)) : place % frame.length;
      wrong[at] = (wrong[at] ?? 0) ^ 1;
      assert.deepEqual(framingNamed(name).reader('answers', isExpected).push(wrong), []);
    },
  );
  fc.assert(property, { numRuns: runs(300) });
});

test('whatever comes, no reader throws anything but a FramingError or keeps more than its bound', () => {
  const property = fc.property(
    fc.constantFrom(...NAMES),
    fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 }),
    (name, parts) => {
      const reader = framingNamed(name).reader('answers');
      for (const part of parts) {
        try {
          reader.push(part);
        } catch (error) {
          assert.ok(error instanceof FramingError);
        }
      }
    },
  );
  fc.assert(property, { numRuns: runs(200) });
});

test('whatever is asked, a device answers with its function or an exception', () => {
  const property = fc.property(fc.uint8Array({ minLength: 1, maxLength: 253 }), (pdu) => {
    const answer = device().answer(pdu);
    assert.equal((answer[0] ?? 0) & 0x7f, (pdu[0] ?? 0) & 0x7f);
    assert.ok(answer.length <= 253);
  });
  fc.assert(property, { numRuns: runs(500) });
});
