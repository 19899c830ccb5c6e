/** Requests as a master makes them, and what their answers say. Pure. */
import { DEVICE_IDENTIFICATION, Fn } from './functions.ts';

/** The answer is not what was asked for. */
export class AnswerError extends Error {
  override readonly name = 'AnswerError';
}

export interface ModbusRequest<Result> {
  readonly pdu: Uint8Array;
  /** Whether it may be asked again when no answer came: nothing is changed by it. */
  readonly isReading: boolean;
  /** Of an answer that is no exception. Throws an AnswerError. */
  readonly result: (answer: Uint8Array) => Result;
}

const words = (code: number, ...values: readonly number[]): Uint8Array => {
  const pdu = new Uint8Array(1 + values.length * 2);
  pdu[0] = code;
  for (const [index, value] of values.entries()) {
    pdu[1 + index * 2] = value >> 8;
    pdu[2 + index * 2] = value;
  }
  return pdu;
};

const withBytes = (head: Uint8Array, bytes: Uint8Array): Uint8Array => {
  const pdu = new Uint8Array(head.length + 1 + bytes.length);
  pdu.set(head);
  pdu[head.length] = bytes.length;
  pdu.set(bytes, head.length + 1);
  return pdu;
};

const reading = <Result>(pdu: Uint8Array, result: (answer: Uint8Array) => Result): ModbusRequest<Result> => ({
  pdu,
  isReading: true,
  result,
});

/** An answer that says again what was asked, as far as `length`. */
const writing = (pdu: Uint8Array, length: number): ModbusRequest<undefined> => ({
  pdu,
  isReading: false,
  result: (answer) => {
    for (let at = 0; at < length; at++)
      if (answer[at] !== pdu[at]) throw new AnswerError('the device acknowledged something else');
    return undefined;
  },
});

/** What stands after the byte that counts it. */
function counted(answer: Uint8Array, expected?: number): Uint8Array {
  const count = answer[1] ?? 0;
  if (answer.length !== count + 2 || (expected !== undefined && count !== expected))
    throw new AnswerError(`the answer has ${answer.length - 2} bytes of data instead of ${expected ?? count}`);
  return answer.subarray(2);
}

/** `code`: 1 to 4. Registers as bytes, or bits from the lowest of each byte. */
export function read(code: 1 | 2 | 3 | 4, address: number, count: number): ModbusRequest<Uint8Array> {
  const size = code <= Fn.readDiscreteInputs ? Math.ceil(count / 8) : count * 2;
  return reading(words(code, address, count), (answer) => counted(answer, size));
}

export const writeCoil = (address: number, isOn: boolean): ModbusRequest<undefined> =>
  writing(words(Fn.writeCoil, address, isOn ? 0xff00 : 0), 5);

export const writeRegister = (address: number, value: Uint8Array): ModbusRequest<undefined> =>
  writing(words(Fn.writeRegister, address, ((value[0] ?? 0) << 8) | (value[1] ?? 0)), 5);

export function writeCoils(address: number, values: readonly boolean[]): ModbusRequest<undefined> {
  const bits = new Uint8Array(Math.ceil(values.length / 8));
  for (const [at, isOn] of values.entries()) if (isOn) bits[at >> 3] = (bits[at >> 3] ?? 0) | (1 << (at & 7));
  return writing(withBytes(words(Fn.writeCoils, address, values.length), bits), 5);
}

export const writeRegisters = (address: number, bytes: Uint8Array): ModbusRequest<undefined> =>
  writing(withBytes(words(Fn.writeRegisters, address, bytes.length / 2), bytes), 5);

/** The register becomes `(it AND andMask) OR (orMask AND NOT andMask)`. */
export const maskWrite = (address: number, andMask: number, orMask: number): ModbusRequest<undefined> =>
  writing(words(Fn.maskWriteRegister, address, andMask, orMask), 7);

export interface ReadWrite {
  readonly readAddress: number;
  readonly readCount: number;
  readonly writeAddress: number;
  readonly bytes: Uint8Array;
}

export function readWrite({ readAddress, readCount, writeAddress, bytes }: ReadWrite): ModbusRequest<Uint8Array> {
  const head = words(Fn.readWriteRegisters, readAddress, readCount, writeAddress, bytes.length / 2);
  return {
    pdu: withBytes(head, bytes),
    isReading: false,
    result: (answer) => counted(answer, readCount * 2),
  };
}

/** What a sub-request of file records begins with. */
const FILE_REFERENCE = 6;

export function readFile(file: number, record: number, count: number): ModbusRequest<Uint8Array> {
  const reference = Uint8Array.of(FILE_REFERENCE, ...words(0, file, record, count).subarray(1));
  return reading(withBytes(Uint8Array.of(Fn.readFileRecord), reference), (answer) => {
    const data = counted(answer);
    if (data[0] !== count * 2 + 1 || data[1] !== FILE_REFERENCE || data.length !== count * 2 + 2)
      throw new AnswerError('the device answered with another record');
    return data.subarray(2);
  });
}

export function writeFile(file: number, record: number, bytes: Uint8Array): ModbusRequest<undefined> {
  const reference = words(0, file, record, bytes.length / 2).subarray(1);
  const pdu = withBytes(Uint8Array.of(Fn.writeFileRecord), Uint8Array.of(FILE_REFERENCE, ...reference, ...bytes));
  return writing(pdu, pdu.length);
}

export function readFifo(address: number): ModbusRequest<Uint8Array> {
  return reading(words(Fn.readFifoQueue, address), (answer) => {
    const count = ((answer[3] ?? 0) << 8) | (answer[4] ?? 0);
    if (answer.length !== 5 + count * 2) throw new AnswerError('the queue has another length than it says');
    return answer.subarray(5);
  });
}

export const readExceptionStatus = (): ModbusRequest<Uint8Array> =>
  reading(Uint8Array.of(Fn.readExceptionStatus), (answer) => answer.subarray(1, 2));

/** Two registers: status, and how many requests were carried out. */
export const readEventCounter = (): ModbusRequest<Uint8Array> =>
  reading(Uint8Array.of(Fn.eventCounter), (answer) => answer.subarray(1, 5));

/** Status, counters of events and messages, then a byte an event. */
export const readEventLog = (): ModbusRequest<Uint8Array> =>
  reading(Uint8Array.of(Fn.eventLog), (answer) => counted(answer));

export const reportServerId = (): ModbusRequest<Uint8Array> =>
  reading(Uint8Array.of(Fn.reportServerId), (answer) => counted(answer));

/** The data that comes back; sub-functions that only read counters change nothing. */
export function diagnostics(subFunction: number, data: number): ModbusRequest<Uint8Array> {
  const pdu = words(Fn.diagnostics, subFunction, data);
  const isReading = subFunction === 0 || subFunction === 2 || (subFunction >= 11 && subFunction <= 18);
  return { pdu, isReading, result: (answer) => answer.subarray(3) };
}

export interface Identification {
  readonly objects: ReadonlyMap<number, Uint8Array>;
  /** Where to go on, when there are more. */
  readonly next: number | undefined;
}

/** `level`: 1 basic, 2 regular, 3 extended, 4 one object. */
export function identify(level: 1 | 2 | 3 | 4, object: number): ModbusRequest<Identification> {
  return reading(Uint8Array.of(Fn.encapsulated, DEVICE_IDENTIFICATION, level, object), (answer) => {
    const objects = new Map<number, Uint8Array>();
    let at = 7;
    for (let count = answer[6] ?? 0; count > 0; count--) {
      const [id, length] = [answer[at], answer[at + 1]];
      if (id === undefined || length === undefined || at + 2 + length > answer.length)
        throw new AnswerError('the identification is cut off');
      objects.set(id, answer.subarray(at + 2, at + 2 + length));
      at += 2 + length;
    }
    return { objects, next: answer[4] === 0xff ? answer[5] : undefined };
  });
}

/** A request of any function, also of a maker's own; what follows the function code comes back. */
export const anyRequest = (code: number, data: Uint8Array): ModbusRequest<Uint8Array> => ({
  pdu: Uint8Array.of(code, ...data),
  isReading: false,
  result: (answer) => answer.subarray(1),
});
