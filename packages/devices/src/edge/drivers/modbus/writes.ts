/** Which requests write a value. Pure, but for reading before writing where a device has no function for bits. */
import * as requests from '../../../modbus/requests.ts';
import { scalarToWire } from '../../../values/wire.ts';
import type { PointWrite } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';
import type { ModbusOptions } from './options.ts';
import { addressOf, type ModbusAddress } from './points.ts';

export interface WriteStep {
  readonly unit: number;
  readonly request: requests.ModbusRequest<undefined>;
}

/** One register of which only some bits change. */
export interface MaskStep {
  readonly unit: number;
  readonly address: number;
  readonly mask: number;
  readonly bits: number;
}

export type WritePlan =
  | { readonly kind: 'write'; readonly steps: readonly WriteStep[] }
  | { readonly kind: 'mask'; readonly steps: readonly MaskStep[] };

type WriteOptions = Pick<ModbusOptions, 'unit' | 'maxWriteRegisters' | 'writesMultiple'>;

/** Throws a DriverError that says why it cannot be written. */
export function planWrite({ point, value, mask }: PointWrite, options: WriteOptions): WritePlan {
  const where = addressOf(point, options.unit);
  if (!(value instanceof Uint8Array)) throw new DriverError('Rejected', 'registers are written as bytes');
  switch (where.table) {
    case 'Coil':
      return { kind: 'write', steps: [{ unit: where.unit, request: coils(where, value, options) }] };
    case 'HoldingRegister':
      return mask === undefined
        ? { kind: 'write', steps: registers(where, wholeRegisters(value), options) }
        : { kind: 'mask', steps: masked(where, wholeRegisters(value), maskBytes(mask, value.length, point)) };
    case 'FileRecord': {
      const request = requests.writeFile(where.file, where.address, wholeRegisters(value));
      return { kind: 'write', steps: [{ unit: where.unit, request }] };
    }
    default:
      throw new DriverError('Rejected', `${point.property} is a part of ${where.table}, which cannot be written`);
  }
}

function coils(
  { address }: ModbusAddress,
  value: Uint8Array,
  { writesMultiple }: WriteOptions,
): requests.ModbusRequest<undefined> {
  const values = Array.from(value, (byte) => byte !== 0);
  return values.length === 1 && !writesMultiple
    ? requests.writeCoil(address, values[0] === true)
    : requests.writeCoils(address, values);
}

function registers(where: ModbusAddress, bytes: Uint8Array, options: WriteOptions): readonly WriteStep[] {
  const { unit, address } = where;
  if (bytes.length === 2 && !options.writesMultiple) return [{ unit, request: requests.writeRegister(address, bytes) }];
  const steps: WriteStep[] = [];
  const most = options.maxWriteRegisters * 2;
  for (let at = 0; at < bytes.length; at += most)
    steps.push({ unit, request: requests.writeRegisters(address + at / 2, bytes.subarray(at, at + most)) });
  return steps;
}

/** One byte is the lower one of its register; what else is odd is filled up at its end. */
function wholeRegisters(bytes: Uint8Array): Uint8Array {
  if (bytes.length % 2 === 0) return bytes;
  const whole = new Uint8Array(bytes.length + 1);
  whole.set(bytes, bytes.length === 1 ? 1 : 0);
  return whole;
}

const UNSIGNED = { 1: 'uint8', 2: 'uint16', 4: 'uint32', 8: 'uint64' } as const;

/** The mask in the order of the value's bytes. */
function maskBytes(mask: bigint, size: number, { encoding, property }: PointWrite['point']): Uint8Array {
  const raw = size === 1 || size === 2 || size === 4 || size === 8 ? UNSIGNED[size] : undefined;
  if (raw === undefined || mask >= 1n << BigInt(size * 8))
    throw new DriverError('Misconfigured', `the bitMask of ${property} is wider than its ${size} bytes`);
  return wholeRegisters(scalarToWire(mask, raw, encoding));
}

function masked({ unit, address }: ModbusAddress, bytes: Uint8Array, mask: Uint8Array): readonly MaskStep[] {
  const word = (of: Uint8Array, at: number) => ((of[at] ?? 0) << 8) | (of[at + 1] ?? 0);
  const steps: MaskStep[] = [];
  for (let at = 0; at < bytes.length; at += 2) {
    const own = word(mask, at);
    if (own !== 0) steps.push({ unit, address: address + at / 2, mask: own, bits: word(bytes, at) & own });
  }
  return steps;
}
