/** The three ways a PDU travels: with a header over TCP, with a CRC or as hexadecimal text over serial lines. Pure. */
import { crc16, lrc } from './checksum.ts';
import { answerLength, MAX_PDU_BYTES, type PduLength, requestLength } from './functions.ts';

export type FramingName = 'TCP' | 'RTU' | 'ASCII';

export interface Frame {
  readonly unit: number;
  /** Of TCP; 0 elsewhere. */
  readonly transaction: number;
  readonly pdu: Uint8Array;
}

export interface FrameReader {
  /** Whole frames that the bytes complete. What is no frame is left out; where that cannot be, throws a FramingError. */
  push(bytes: Uint8Array): readonly Frame[];
  /** Forgets what has not become a frame. */
  clear(): void;
}

export interface Framing {
  readonly name: FramingName;
  /** Answers say which request they belong to. */
  readonly hasTransactions: boolean;
  encode(frame: Frame): Uint8Array;
  /** `reads`: what comes. `isExpected`: a beginning of other frames is noise. */
  reader(reads: 'requests' | 'answers', isExpected?: (unit: number, code: number) => boolean): FrameReader;
}

/** The stream cannot be understood any more: nothing says where the next frame begins. */
export class FramingError extends Error {
  override readonly name = 'FramingError';
}

export function framingNamed(name: FramingName): Framing {
  return FRAMINGS[name];
}

/** More of what is no frame is not kept. */
const MAX_REST_BYTES = 1024;

function append(rest: Uint8Array, bytes: Uint8Array): Uint8Array {
  if (rest.length === 0) return bytes;
  const all = new Uint8Array(rest.length + bytes.length);
  all.set(rest);
  all.set(bytes, rest.length);
  return all;
}

const NOTHING = new Uint8Array(0);

// ——— TCP ———

const HEADER_BYTES = 7;

const tcpFraming: Framing = {
  name: 'TCP',
  hasTransactions: true,
  encode: ({ transaction, unit, pdu }) => {
    const length = pdu.length + 1;
    const bytes = new Uint8Array(HEADER_BYTES + pdu.length);
    bytes[0] = transaction >> 8;
    bytes[1] = transaction;
    bytes[4] = length >> 8;
    bytes[5] = length;
    bytes[6] = unit;
    bytes.set(pdu, HEADER_BYTES);
    return bytes;
  },
  reader: () => new TcpReader(),
};

class TcpReader implements FrameReader {
  #rest = NOTHING as Uint8Array;

  clear(): void {
    this.#rest = NOTHING;
  }

  push(given: Uint8Array): readonly Frame[] {
    const bytes = append(this.#rest, given);
    const frames: Frame[] = [];
    let at = 0;
    while (bytes.length - at >= HEADER_BYTES) {
      const word = (from: number) => ((bytes[at + from] ?? 0) << 8) | (bytes[at + from + 1] ?? 0);
      const length = word(4);
      if (word(2) !== 0 || length < 2 || length > MAX_PDU_BYTES + 1) {
        this.#rest = NOTHING;
        throw new FramingError('what came is not Modbus TCP');
      }
      const end = at + 6 + length;
      if (end > bytes.length) break;
      frames.push({ transaction: word(0), unit: bytes[at + 6] ?? 0, pdu: bytes.subarray(at + HEADER_BYTES, end) });
      at = end;
    }
    this.#rest = bytes.subarray(at);
    return frames;
  }
}

// ——— RTU ———

const rtuFraming: Framing = {
  name: 'RTU',
  hasTransactions: false,
  encode: ({ unit, pdu }) => {
    const bytes = new Uint8Array(pdu.length + 3);
    bytes[0] = unit;
    bytes.set(pdu, 1);
    const crc = crc16(bytes, 0, pdu.length + 1);
    bytes[pdu.length + 1] = crc;
    bytes[pdu.length + 2] = crc >> 8;
    return bytes;
  },
  reader: (reads, isExpected) => new RtuReader(reads === 'answers' ? answerLength : requestLength, isExpected),
};

/**
 * Frames are parted by silence, which no driver behind a USB adapter or a network sees. So the length follows from the
 * function, the CRC decides, and what fits neither is skipped byte by byte.
 */
class RtuReader implements FrameReader {
  readonly #lengthOf: (pdu: Uint8Array) => PduLength;
  readonly #isExpected: (unit: number, code: number) => boolean;
  #rest = NOTHING as Uint8Array;

  constructor(lengthOf: (pdu: Uint8Array) => PduLength, isExpected = (_unit: number, _code: number) => true) {
    this.#lengthOf = lengthOf;
    this.#isExpected = isExpected;
  }

  clear(): void {
    this.#rest = NOTHING;
  }

  push(given: Uint8Array): readonly Frame[] {
    const bytes = append(this.#rest, given);
    const frames: Frame[] = [];
    let at = 0;
    while (at < bytes.length) {
      const end = this.#endOf(bytes, at);
      // Not looked beyond what may still become a frame: within one, something else can look like a frame by chance.
      if (end === 'more') break;
      if (end !== 'none') frames.push({ transaction: 0, unit: bytes[at] ?? 0, pdu: bytes.subarray(at + 1, end - 2) });
      at = end === 'none' ? at + 1 : end;
    }
    const kept = bytes.subarray(at);
    this.#rest = kept.length > MAX_REST_BYTES ? kept.subarray(-MAX_REST_BYTES) : kept;
    return frames;
  }

  /** Where the frame ends that begins here, if one does. */
  #endOf(bytes: Uint8Array, at: number): number | 'more' | 'none' {
    const [unit, code] = [bytes[at], bytes[at + 1]];
    if (unit === undefined || code === undefined) return 'more';
    if (!this.#isExpected(unit, code)) return 'none';
    const length = this.#lengthOf(bytes.subarray(at + 1, at + 1 + MAX_PDU_BYTES));
    if (length === 'unknown') return this.#isWhole(bytes, at, bytes.length) ? bytes.length : 'more';
    if (length === 'more') return 'more';
    if (length > MAX_PDU_BYTES) return 'none';
    const end = at + length + 3;
    if (end > bytes.length) return 'more';
    return this.#isWhole(bytes, at, end) ? end : 'none';
  }

  #isWhole(bytes: Uint8Array, at: number, end: number): boolean {
    if (end - at < 4) return false;
    const crc = crc16(bytes, at, end - 2);
    return bytes[end - 2] === (crc & 0xff) && bytes[end - 1] === crc >> 8;
  }
}

// ——— ASCII ———

const COLON = 0x3a;
const LINE_FEED = 0x0a;

const asciiFraming: Framing = {
  name: 'ASCII',
  hasTransactions: false,
  encode: ({ unit, pdu }) => {
    const body = Uint8Array.of(unit, ...pdu);
    const hex = Buffer.from([...body, lrc(body)])
      .toString('hex')
      .toUpperCase();
    return new Uint8Array(Buffer.from(`:${hex}\r\n`));
  },
  reader: (_reads, isExpected) => new AsciiReader(isExpected),
};

class AsciiReader implements FrameReader {
  readonly #isExpected: (unit: number, code: number) => boolean;
  #rest = NOTHING as Uint8Array;

  constructor(isExpected = (_unit: number, _code: number) => true) {
    this.#isExpected = isExpected;
  }

  clear(): void {
    this.#rest = NOTHING;
  }

  push(given: Uint8Array): readonly Frame[] {
    let bytes = append(this.#rest, given);
    const frames: Frame[] = [];
    for (let end = bytes.indexOf(LINE_FEED); end >= 0; end = bytes.indexOf(LINE_FEED)) {
      const frame = asciiFrame(bytes.subarray(0, end));
      if (frame !== undefined && this.#isExpected(frame.unit, frame.pdu[0] ?? 0)) frames.push(frame);
      bytes = bytes.subarray(end + 1);
    }
    this.#rest = bytes.length > MAX_REST_BYTES ? bytes.subarray(-MAX_REST_BYTES) : bytes;
    return frames;
  }
}

function asciiFrame(line: Uint8Array): Frame | undefined {
  const hex = Buffer.from(line.subarray(line.lastIndexOf(COLON) + 1))
    .toString('latin1')
    .trimEnd();
  if (!line.includes(COLON) || !/^([0-9A-Fa-f]{2}){3,255}$/.test(hex)) return undefined;
  const bytes = new Uint8Array(Buffer.from(hex, 'hex'));
  const body = bytes.subarray(0, -1);
  if (lrc(body) !== bytes.at(-1)) return undefined;
  return { transaction: 0, unit: body[0] ?? 0, pdu: body.subarray(1) };
}

const FRAMINGS: Readonly<Record<FramingName, Framing>> = { TCP: tcpFraming, RTU: rtuFraming, ASCII: asciiFraming };
