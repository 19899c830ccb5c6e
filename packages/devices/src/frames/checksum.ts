/** What guards the frames of private protocols: sums, and cyclic codes by their parameters. Pure. */

export interface Crc {
  readonly width: 8 | 16 | 32;
  readonly polynomial: number;
  readonly initial: number;
  readonly finalXor: number;
  /** The lowest bit of each byte comes first, and the result is read likewise. */
  readonly reflected: boolean;
}

const KNOWN_CRCS = {
  Crc8: { width: 8, polynomial: 0x07, initial: 0, finalXor: 0, reflected: false },
  Crc8Maxim: { width: 8, polynomial: 0x31, initial: 0, finalXor: 0, reflected: true },
  Crc16Modbus: { width: 16, polynomial: 0x8005, initial: 0xffff, finalXor: 0, reflected: true },
  Crc16Arc: { width: 16, polynomial: 0x8005, initial: 0, finalXor: 0, reflected: true },
  Crc16Ccitt: { width: 16, polynomial: 0x1021, initial: 0xffff, finalXor: 0, reflected: false },
  Crc16Xmodem: { width: 16, polynomial: 0x1021, initial: 0, finalXor: 0, reflected: false },
  Crc16Kermit: { width: 16, polynomial: 0x1021, initial: 0, finalXor: 0, reflected: true },
  Crc16X25: { width: 16, polynomial: 0x1021, initial: 0xffff, finalXor: 0xffff, reflected: true },
  Crc32: { width: 32, polynomial: 0x04c11db7, initial: 0xffffffff, finalXor: 0xffffffff, reflected: true },
} as const satisfies Readonly<Record<string, Crc>>;

type Sum = (bytes: Uint8Array) => number;

const SUMS = {
  Sum8: { size: 1, of: (bytes) => sumOf(bytes) & 0xff },
  Sum16: { size: 2, of: (bytes) => sumOf(bytes) & 0xffff },
  Xor8: { size: 1, of: (bytes) => bytes.reduce((sum, byte) => sum ^ byte, 0) },
  /** What makes all bytes together zero. */
  Lrc: { size: 1, of: (bytes) => -sumOf(bytes) & 0xff },
} as const satisfies Readonly<Record<string, { readonly size: number; readonly of: Sum }>>;

/** `Crc` is one whose parameters are said. */
export const CHECKSUM_KINDS = [...Object.keys(SUMS), ...Object.keys(KNOWN_CRCS), 'Crc'];

export interface Checksum {
  readonly size: number;
  readonly of: Sum;
}

/** Undefined when there is no such kind, or its parameters are missing. */
export function checksumOf(kind: string, parameters: Crc | undefined): Checksum | undefined {
  if (Object.hasOwn(SUMS, kind)) return SUMS[kind as keyof typeof SUMS];
  const crc = Object.hasOwn(KNOWN_CRCS, kind) ? KNOWN_CRCS[kind as keyof typeof KNOWN_CRCS] : parameters;
  return crc === undefined ? undefined : { size: crc.width / 8, of: crcSum(crc) };
}

function sumOf(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => sum + byte, 0);
}

function crcSum({ width, polynomial, initial, finalXor, reflected }: Crc): Sum {
  const mask = 2 ** width - 1;
  const step = reflected ? stepRight(mirror(polynomial, width)) : stepLeft(polynomial, width);
  const begin = reflected ? mirror(initial, width) : initial;
  return (bytes) => {
    let register = begin;
    for (const byte of bytes) register = step(register, byte);
    return ((register ^ finalXor) & mask) >>> 0;
  };
}

type Step = (register: number, byte: number) => number;

function stepRight(polynomial: number): Step {
  return (register, byte) => {
    let next = register ^ byte;
    for (let bit = 0; bit < 8; bit++) next = (next & 1) === 1 ? (next >>> 1) ^ polynomial : next >>> 1;
    return next >>> 0;
  };
}

function stepLeft(polynomial: number, width: number): Step {
  const top = 2 ** (width - 1);
  const mask = 2 ** width - 1;
  return (register, byte) => {
    let next = (register ^ (byte << (width - 8))) >>> 0;
    for (let bit = 0; bit < 8; bit++) next = ((next & top) === 0 ? next << 1 : (next << 1) ^ polynomial) & mask;
    return next >>> 0;
  };
}

function mirror(number: number, width: number): number {
  let mirrored = 0;
  for (let bit = 0; bit < width; bit++) if ((number & (2 ** bit)) !== 0) mirrored += 2 ** (width - 1 - bit);
  return mirrored;
}
