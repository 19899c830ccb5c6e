/** Commands as requests: input values one after another, as registers or bytes; output values taken in the same way. Pure. */
import * as requests from '../../../modbus/requests.ts';
import { compileCodec, wireReader } from '../../../values/codec.ts';
import type { RawValue } from '../../../values/encoding.ts';
import { ValueError } from '../../../values/value.ts';
import type { ValueType } from '../../../values/value-type.ts';
import type { CallRequest } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';

type Request = requests.ModbusRequest<Uint8Array | undefined>;

/** Throws a DriverError. */
export function commandRequest(call: CallRequest): Request {
  const { action = 'WriteRegisters', address, readAddress, function: code } = call.address;
  const at = Number(address ?? 0);
  const bytes = inputOf(call);
  switch (action) {
    case 'WriteRegisters':
      return requests.writeRegisters(at, even(bytes));
    case 'WriteCoils':
      return requests.writeCoils(at, coilsOf(call));
    case 'ReadWrite':
      return requests.readWrite({
        readAddress: Number(readAddress ?? 0),
        readCount: Math.ceil(outputSize(call) / 2),
        writeAddress: at,
        bytes: even(bytes),
      });
    case 'Diagnostic':
      return requests.diagnostics(at, ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0));
    case 'Request':
      return requests.anyRequest(Number(code), bytes);
    default:
      throw new DriverError('Misconfigured', `there is no action ${String(action)}`);
  }
}

/** Throws a DriverError. */
export function commandResult(
  { output }: CallRequest,
  answer: Uint8Array | undefined,
): Readonly<Record<string, RawValue>> {
  if (answer === undefined) return {};
  let at = 0;
  return Object.fromEntries(
    output.map(({ name, type }) => {
      // What has no size of its own takes all that is left.
      const size = registerSize(type) ?? answer.length - at;
      const part = answer.subarray(at, at + size);
      at += size;
      try {
        return [name, wireReader(type)(part)];
      } catch (cause) {
        if (cause instanceof ValueError) throw new DriverError('Malformed', `${name} ${cause.message}`, { cause });
        throw cause;
      }
    }),
  );
}

function inputOf({ address, input }: CallRequest): Uint8Array {
  const parts = input.map(({ name, type, value }) => {
    try {
      const bytes = value instanceof Uint8Array ? value : compileCodec(type, undefined).encode(value as never, true);
      if (!(bytes instanceof Uint8Array)) throw new ValueError('has no form in registers');
      return bytes.length === 1 && type.kind === 'scalar' && type.scalar !== 'bytes'
        ? Uint8Array.of(0, ...bytes)
        : bytes;
    } catch (cause) {
      if (cause instanceof ValueError) throw new DriverError('Rejected', `${name} ${cause.message}`, { cause });
      throw cause;
    }
  });
  return new Uint8Array(Buffer.concat([...valuesOf(address).map((word) => Uint8Array.of(word >> 8, word)), ...parts]));
}

function coilsOf({ address, input }: CallRequest): readonly boolean[] {
  return [...valuesOf(address), ...input.map(({ value }) => value)].map(
    (value) => value === true || Number(value) === 1,
  );
}

function valuesOf(address: CallRequest['address']): readonly number[] {
  return Array.isArray(address['values']) ? address['values'].map(Number) : [];
}

function outputSize({ output }: CallRequest): number {
  return output.reduce((sum, { name, type }) => {
    const size = registerSize(type);
    if (size === undefined)
      throw new DriverError('Misconfigured', `${name} has no length, so it cannot be read in registers`);
    return sum + size;
  }, 0);
}

/** Bytes, in whole registers. */
function registerSize(type: ValueType): number | undefined {
  const { size } = compileCodec(type, undefined);
  return size === undefined ? undefined : size + (size % 2);
}

function even(bytes: Uint8Array): Uint8Array {
  return bytes.length % 2 === 0 ? bytes : Uint8Array.of(...bytes, 0);
}
