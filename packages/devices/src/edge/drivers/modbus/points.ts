/** How a property is read and written, worked out once. Pure. */
import { Fn } from '../../../modbus/functions.ts';
import * as requests from '../../../modbus/requests.ts';
import { wireReader } from '../../../values/codec.ts';
import type { RawValue } from '../../../values/encoding.ts';
import type { Point } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';
import type { ReadCode, Span } from './plan-reads.ts';

export type PointAccess =
  /** A part of one of the four tables, read together with others. */
  | { readonly kind: 'table'; readonly span: Span; readonly read: (bytes: Uint8Array) => RawValue }
  /** A request of its own. */
  | {
      readonly kind: 'own';
      readonly unit: number;
      readonly request: requests.ModbusRequest<Uint8Array>;
      readonly read: (bytes: Uint8Array) => RawValue;
    };

export interface ModbusAddress {
  readonly table: string;
  readonly address: number;
  readonly count: number | undefined;
  readonly file: number;
  readonly unit: number;
}

const READ_CODES: Readonly<Record<string, ReadCode>> = {
  Coil: Fn.readCoils,
  DiscreteInput: Fn.readDiscreteInputs,
  HoldingRegister: Fn.readHoldingRegisters,
  InputRegister: Fn.readInputRegisters,
};

const ADDRESSES = 65_536;

export function addressOf({ address }: Pick<Point, 'address'>, unit: number): ModbusAddress {
  const { table = 'HoldingRegister', address: at = 0, count, file = 0, unit: own = unit } = address;
  return {
    table: String(table),
    address: Number(at),
    count: count === undefined ? undefined : Number(count),
    file: Number(file),
    unit: Number(own),
  };
}

/** Throws a DriverError that says why it cannot be read. */
export function accessOf(point: Point, unit: number): PointAccess {
  const where = addressOf(point, unit);
  const code = READ_CODES[where.table];
  if (code === undefined)
    return { kind: 'own', unit: where.unit, request: ownRequest(point, where), read: valueReader(point) };
  const areBits = code <= Fn.readDiscreteInputs;
  const count = areBits ? bitCount(point, where) : registerCount(point, where);
  if (where.address + count > ADDRESSES)
    throw new DriverError('Misconfigured', `${point.property} goes beyond address ${ADDRESSES - 1}`);
  const read = areBits ? bitReader(point) : valueReader(point);
  return { kind: 'table', span: { unit: where.unit, code, address: where.address, count }, read };
}

/** Of bits that stand in bytes of their own. */
function bitReader({ type }: Point): (bits: Uint8Array) => RawValue {
  return type.kind === 'list' ? (bits) => Array.from(bits, (bit) => bit === 1) : (bits) => bits[0] === 1;
}

function valueReader({ type, encoding, size }: Point): (bytes: Uint8Array) => RawValue {
  const read = wireReader(type, encoding);
  // One byte in a register is its lower one, and the reader looks for it there.
  return (bytes) => read(size === undefined || size <= 1 ? bytes : bytes.subarray(0, size));
}

function bitCount({ type }: Point, { count }: ModbusAddress): number {
  return type.kind === 'list' ? (type.length ?? count ?? 1) : 1;
}

function registerCount({ size, property }: Point, { count }: ModbusAddress): number {
  if (size !== undefined) return Math.max(1, Math.ceil(size / 2));
  if (count !== undefined) return count;
  throw new DriverError('Misconfigured', `${property} has no length: encoding.length or address.count says it`);
}

function ownRequest(point: Point, where: ModbusAddress): requests.ModbusRequest<Uint8Array> {
  const { table, address, file } = where;
  switch (table) {
    case 'FileRecord':
      return requests.readFile(file, address, registerCount(point, where));
    case 'FifoQueue':
      return requests.readFifo(address);
    case 'DeviceIdentification':
      return oneObject(address);
    case 'ServerId':
      return requests.reportServerId();
    case 'ExceptionStatus':
      return requests.readExceptionStatus();
    case 'EventCounter':
      return requests.readEventCounter();
    case 'EventLog':
      return requests.readEventLog();
    case 'Diagnostic': {
      const request = requests.diagnostics(address, 0);
      if (request.isReading) return request;
      throw new DriverError('Misconfigured', `diagnostic ${address} changes the device: it is for commands`);
    }
    default:
      throw new DriverError('Misconfigured', `there is no table ${table}`);
  }
}

function oneObject(object: number): requests.ModbusRequest<Uint8Array> {
  const request = requests.identify(4, object);
  return {
    ...request,
    result: (answer) => {
      const text = request.result(answer).objects.get(object);
      if (text === undefined) throw new requests.AnswerError(`the device has no object ${object}`);
      return text;
    },
  };
}
