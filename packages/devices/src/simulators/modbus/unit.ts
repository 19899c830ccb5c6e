/** A Modbus device without a device: its memory, and what it answers to each function. Pure but for the memory. */
import {
  DEVICE_IDENTIFICATION,
  EXCEPTION_BIT,
  ExceptionCode,
  Fn,
  MAX_READ_BITS,
  MAX_READ_REGISTERS,
  MAX_WRITE_BITS,
  MAX_WRITE_REGISTERS,
} from '../../modbus/functions.ts';

const ADDRESSES = 65_536;

export interface UnitOptions {
  /** How many of each table there are. */
  readonly size?: number;
  /** Of function 43/14, by object id: 0 vendor, 1 product, 2 revision. */
  readonly identification?: ReadonlyMap<number, string>;
  /** Functions it does not know. */
  readonly lacks?: ReadonlySet<number>;
  /** Longer reads are refused. */
  readonly maxReadRegisters?: number;
}

class Refusal extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`exception ${code}`);
    this.code = code;
  }
}

export class ModbusUnit {
  readonly coils: Uint8Array;
  readonly discreteInputs: Uint8Array;
  /** Two bytes a register, the high one first. */
  readonly holdingRegisters: Uint8Array;
  readonly inputRegisters: Uint8Array;
  /** By number of the file; ten thousand records of two bytes at most. */
  readonly files = new Map<number, Uint8Array>();
  /** By address of the queue's pointer. */
  readonly queues = new Map<number, Uint8Array>();
  exceptionStatus = 0;
  /** Answered to all that is asked, while it is set. */
  refusal: number | undefined;
  readonly #options: UnitOptions;
  #requests = 0;

  constructor(options: UnitOptions = {}) {
    const { size = ADDRESSES } = options;
    this.#options = options;
    this.coils = new Uint8Array(size);
    this.discreteInputs = new Uint8Array(size);
    this.holdingRegisters = new Uint8Array(size * 2);
    this.inputRegisters = new Uint8Array(size * 2);
  }

  /** How many requests it has carried out. */
  get requests(): number {
    return this.#requests;
  }

  answer(pdu: Uint8Array): Uint8Array {
    const code = pdu[0] ?? 0;
    try {
      if (this.refusal !== undefined) throw new Refusal(this.refusal);
      if (this.#options.lacks?.has(code) === true) throw new Refusal(ExceptionCode.illegalFunction);
      const answer = this.#carryOut(code, pdu);
      this.#requests++;
      return answer;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return Uint8Array.of(code | EXCEPTION_BIT, error.code);
    }
  }

  #carryOut(code: number, pdu: Uint8Array): Uint8Array {
    switch (code) {
      case Fn.readCoils:
        return this.#readBits(pdu, this.coils);
      case Fn.readDiscreteInputs:
        return this.#readBits(pdu, this.discreteInputs);
      case Fn.readHoldingRegisters:
        return this.#readRegisters(pdu, this.holdingRegisters);
      case Fn.readInputRegisters:
        return this.#readRegisters(pdu, this.inputRegisters);
      case Fn.writeCoil:
        return this.#writeCoil(pdu);
      case Fn.writeRegister:
        slice(this.holdingRegisters, wordAt(pdu, 1) * 2, 2).set(slice(pdu, 3, 2));
        return pdu;
      case Fn.writeCoils:
        return this.#writeCoils(pdu);
      case Fn.writeRegisters:
        return this.#writeRegisters(pdu);
      case Fn.maskWriteRegister:
        return this.#maskWrite(pdu);
      case Fn.readWriteRegisters:
        return this.#readWrite(pdu);
      default:
        return this.#carryOutRare(code, pdu);
    }
  }

  #carryOutRare(code: number, pdu: Uint8Array): Uint8Array {
    switch (code) {
      case Fn.readExceptionStatus:
        return Uint8Array.of(code, this.exceptionStatus);
      case Fn.diagnostics:
        return this.#diagnose(pdu);
      case Fn.eventCounter:
        return Uint8Array.of(code, 0, 0, this.#requests >> 8, this.#requests);
      case Fn.eventLog:
        return counted(code, Uint8Array.of(0, 0, this.#requests >> 8, this.#requests, 0, 0));
      case Fn.reportServerId:
        return counted(code, Uint8Array.of(1, 0xff, ...new TextEncoder().encode(this.#text(1))));
      case Fn.readFileRecord:
        return this.#readFile(pdu);
      case Fn.writeFileRecord:
        return this.#writeFile(pdu);
      case Fn.readFifoQueue:
        return this.#readQueue(pdu);
      case Fn.encapsulated:
        return this.#identify(pdu);
      default:
        throw new Refusal(ExceptionCode.illegalFunction);
    }
  }

  #readBits(pdu: Uint8Array, table: Uint8Array): Uint8Array {
    const count = countAt(pdu, 3, MAX_READ_BITS);
    const bits = slice(table, wordAt(pdu, 1), count);
    const data = new Uint8Array(Math.ceil(count / 8));
    for (const [at, bit] of bits.entries()) data[at >> 3] = (data[at >> 3] ?? 0) | (bit << (at & 7));
    return counted(pdu[0] ?? 0, data);
  }

  #readRegisters(pdu: Uint8Array, table: Uint8Array): Uint8Array {
    const count = countAt(pdu, 3, this.#options.maxReadRegisters ?? MAX_READ_REGISTERS);
    return counted(pdu[0] ?? 0, slice(table, wordAt(pdu, 1) * 2, count * 2));
  }

  #writeCoil(pdu: Uint8Array): Uint8Array {
    const value = wordAt(pdu, 3);
    if (value !== 0 && value !== 0xff00) throw new Refusal(ExceptionCode.illegalValue);
    slice(this.coils, wordAt(pdu, 1), 1)[0] = value === 0 ? 0 : 1;
    return pdu;
  }

  #writeCoils(pdu: Uint8Array): Uint8Array {
    const count = countAt(pdu, 3, MAX_WRITE_BITS);
    const data = dataAt(pdu, 5, Math.ceil(count / 8));
    const coils = slice(this.coils, wordAt(pdu, 1), count);
    for (const at of coils.keys()) coils[at] = ((data[at >> 3] ?? 0) >> (at & 7)) & 1;
    return pdu.slice(0, 5);
  }

  #writeRegisters(pdu: Uint8Array): Uint8Array {
    const count = countAt(pdu, 3, MAX_WRITE_REGISTERS);
    const data = dataAt(pdu, 5, count * 2);
    slice(this.holdingRegisters, wordAt(pdu, 1) * 2, count * 2).set(data);
    return pdu.slice(0, 5);
  }

  #maskWrite(pdu: Uint8Array): Uint8Array {
    const register = slice(this.holdingRegisters, wordAt(pdu, 1) * 2, 2);
    const [and, or] = [wordAt(pdu, 3), wordAt(pdu, 5)];
    const value = (wordAt(register, 0) & and) | (or & ~and);
    register.set([value >> 8, value & 0xff]);
    return pdu;
  }

  /** Writes first, as the specification says. */
  #readWrite(pdu: Uint8Array): Uint8Array {
    const [readCount, writeCount] = [countAt(pdu, 3, MAX_READ_REGISTERS), countAt(pdu, 7, 121)];
    const readFrom = slice(this.holdingRegisters, wordAt(pdu, 1) * 2, readCount * 2);
    slice(this.holdingRegisters, wordAt(pdu, 5) * 2, writeCount * 2).set(dataAt(pdu, 9, writeCount * 2));
    return counted(Fn.readWriteRegisters, readFrom);
  }

  #diagnose(pdu: Uint8Array): Uint8Array {
    const subFunction = wordAt(pdu, 1);
    if (subFunction === 0) return pdu;
    if (subFunction === 10) {
      this.#requests = 0;
      return pdu;
    }
    if (subFunction < 11 || subFunction > 18) throw new Refusal(ExceptionCode.illegalFunction);
    const value = subFunction === 11 || subFunction === 14 ? this.#requests : 0;
    return Uint8Array.of(Fn.diagnostics, 0, subFunction, value >> 8, value);
  }

  #readFile(pdu: Uint8Array): Uint8Array {
    const parts: number[] = [];
    for (let at = 2; at < pdu.length; at += 7) {
      const file = this.files.get(wordAt(pdu, at + 1));
      if (file === undefined) throw new Refusal(ExceptionCode.illegalAddress);
      const data = slice(file, wordAt(pdu, at + 3) * 2, wordAt(pdu, at + 5) * 2);
      parts.push(data.length + 1, 6, ...data);
    }
    if (parts.length > 245) throw new Refusal(ExceptionCode.illegalValue);
    return counted(Fn.readFileRecord, Uint8Array.from(parts));
  }

  #writeFile(pdu: Uint8Array): Uint8Array {
    for (let at = 2; at < pdu.length; ) {
      const [number, record, count] = [wordAt(pdu, at + 1), wordAt(pdu, at + 3), wordAt(pdu, at + 5)];
      const file = this.files.get(number);
      if (file === undefined) throw new Refusal(ExceptionCode.illegalAddress);
      slice(file, record * 2, count * 2).set(slice(pdu, at + 7, count * 2));
      at += 7 + count * 2;
    }
    return pdu;
  }

  #readQueue(pdu: Uint8Array): Uint8Array {
    const queue = this.queues.get(wordAt(pdu, 1));
    if (queue === undefined) throw new Refusal(ExceptionCode.illegalAddress);
    if (queue.length > 62) throw new Refusal(ExceptionCode.illegalValue);
    return Uint8Array.of(Fn.readFifoQueue, 0, queue.length + 2, 0, queue.length / 2, ...queue);
  }

  #identify(pdu: Uint8Array): Uint8Array {
    const [, type, level = 0, from = 0] = pdu;
    const { identification } = this.#options;
    if (type !== DEVICE_IDENTIFICATION || identification === undefined)
      throw new Refusal(ExceptionCode.illegalFunction);
    const ids = [...identification.keys()].filter((id) => (level === 4 ? id === from : id >= from && id < 7));
    if (ids.length === 0) throw new Refusal(ExceptionCode.illegalAddress);
    const objects = ids.flatMap((id) => {
      const text = new TextEncoder().encode(this.#text(id));
      return [id, text.length, ...text];
    });
    return Uint8Array.of(Fn.encapsulated, DEVICE_IDENTIFICATION, level, 0x82, 0, 0, ids.length, ...objects);
  }

  #text(object: number): string {
    return this.#options.identification?.get(object) ?? '';
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
}

function countAt(pdu: Uint8Array, at: number, most: number): number {
  const count = wordAt(pdu, at);
  if (count < 1 || count > most) throw new Refusal(ExceptionCode.illegalValue);
  return count;
}

function dataAt(pdu: Uint8Array, at: number, length: number): Uint8Array {
  if (pdu[at] !== length || pdu.length !== at + 1 + length) throw new Refusal(ExceptionCode.illegalValue);
  return pdu.subarray(at + 1);
}

/** A view of the memory; refuses what is outside. */
function slice(table: Uint8Array, from: number, length: number): Uint8Array {
  if (from + length > table.length) throw new Refusal(ExceptionCode.illegalAddress);
  return table.subarray(from, from + length);
}

function counted(code: number, data: Uint8Array): Uint8Array {
  const answer = new Uint8Array(data.length + 2);
  answer[0] = code;
  answer[1] = data.length;
  answer.set(data, 2);
  return answer;
}
