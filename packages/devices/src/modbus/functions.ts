/** Function codes, exceptions in words, and how long a PDU is: what a line without lengths is cut by. */

export const Fn = {
  readCoils: 1,
  readDiscreteInputs: 2,
  readHoldingRegisters: 3,
  readInputRegisters: 4,
  writeCoil: 5,
  writeRegister: 6,
  readExceptionStatus: 7,
  diagnostics: 8,
  eventCounter: 11,
  eventLog: 12,
  writeCoils: 15,
  writeRegisters: 16,
  reportServerId: 17,
  readFileRecord: 20,
  writeFileRecord: 21,
  maskWriteRegister: 22,
  readWriteRegisters: 23,
  readFifoQueue: 24,
  encapsulated: 43,
} as const;

/** The bit of a function code that says: this is an exception. */
export const EXCEPTION_BIT = 0x80;

/** The one encapsulated interface that is about devices. */
export const DEVICE_IDENTIFICATION = 14;

export const MAX_PDU_BYTES = 253;
export const MAX_READ_REGISTERS = 125;
export const MAX_READ_BITS = 2000;
export const MAX_WRITE_REGISTERS = 123;
export const MAX_WRITE_BITS = 1968;

export const ExceptionCode = {
  illegalFunction: 1,
  illegalAddress: 2,
  illegalValue: 3,
  serverFailure: 4,
} as const;

const EXCEPTIONS: Readonly<Record<number, string>> = {
  1: 'the device does not know this function',
  2: 'the device has no such address',
  3: 'the device refuses this value or length',
  4: 'the device failed while it did it',
  5: 'the device has accepted it and needs more time',
  6: 'the device is busy',
  7: 'the device cannot do it',
  8: 'the device found an error in its memory',
  10: 'the gateway has no way to the device',
  11: 'the device behind the gateway does not answer',
};

export function exceptionText(code: number): string {
  return `${EXCEPTIONS[code] ?? 'the device refuses'} (exception ${code})`;
}

/** Bytes of a PDU by its beginning: `more` when too little is there to tell, `unknown` when its function is. */
export type PduLength = number | 'more' | 'unknown';

export function answerLength(pdu: Uint8Array): PduLength {
  const [code, second, third] = pdu;
  if (code === undefined) return 'more';
  if ((code & EXCEPTION_BIT) !== 0) return 2;
  switch (code) {
    case Fn.readExceptionStatus:
      return 2;
    case Fn.writeCoil:
    case Fn.writeRegister:
    case Fn.diagnostics:
    case Fn.eventCounter:
    case Fn.writeCoils:
    case Fn.writeRegisters:
      return 5;
    case Fn.maskWriteRegister:
      return 7;
    case Fn.readFifoQueue:
      return second === undefined || third === undefined ? 'more' : 3 + second * 256 + third;
    case Fn.encapsulated:
      return second === DEVICE_IDENTIFICATION ? identificationLength(pdu) : second === undefined ? 'more' : 'unknown';
    case Fn.readCoils:
    case Fn.readDiscreteInputs:
    case Fn.readHoldingRegisters:
    case Fn.readInputRegisters:
    case Fn.eventLog:
    case Fn.reportServerId:
    case Fn.readFileRecord:
    case Fn.writeFileRecord:
    case Fn.readWriteRegisters:
      return second === undefined ? 'more' : 2 + second;
    default:
      return 'unknown';
  }
}

export function requestLength(pdu: Uint8Array): PduLength {
  const [code] = pdu;
  if (code === undefined) return 'more';
  const counted = (at: number): PduLength => {
    const count = pdu[at];
    return count === undefined ? 'more' : at + 1 + count;
  };
  switch (code) {
    case Fn.readCoils:
    case Fn.readDiscreteInputs:
    case Fn.readHoldingRegisters:
    case Fn.readInputRegisters:
    case Fn.writeCoil:
    case Fn.writeRegister:
    case Fn.diagnostics:
      return 5;
    case Fn.readExceptionStatus:
    case Fn.eventCounter:
    case Fn.eventLog:
    case Fn.reportServerId:
      return 1;
    case Fn.writeCoils:
    case Fn.writeRegisters:
      return counted(5);
    case Fn.readFileRecord:
    case Fn.writeFileRecord:
      return counted(1);
    case Fn.maskWriteRegister:
      return 7;
    case Fn.readWriteRegisters:
      return counted(9);
    case Fn.readFifoQueue:
      return 3;
    case Fn.encapsulated:
      return pdu.length < 2 ? 'more' : pdu[1] === DEVICE_IDENTIFICATION ? 4 : 'unknown';
    default:
      return 'unknown';
  }
}

const IDENTIFICATION_HEAD = 7;

/** Its objects say their own lengths, one after another. */
function identificationLength(pdu: Uint8Array): PduLength {
  const count = pdu[IDENTIFICATION_HEAD - 1];
  if (count === undefined) return 'more';
  let end = IDENTIFICATION_HEAD;
  for (let object = 0; object < count; object++) {
    const length = pdu[end + 1];
    if (length === undefined) return 'more';
    end += 2 + length;
  }
  return end;
}
