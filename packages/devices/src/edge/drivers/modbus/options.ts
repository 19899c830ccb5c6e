/** What the options of a Device mean for its connection. */
import { parseDuration } from '@skerry/api/durations';
import { type Framing, type FramingName, framingNamed } from '../../../modbus/framing.ts';
import type { DeviceSettings } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';
import { type Endpoint, type SerialSettings, serialSettings } from '../../transport/byte-stream.ts';
import { endpointOf } from '../../transport/open-stream.ts';
import type { ReadLimits } from './plan-reads.ts';

export interface ModbusOptions {
  readonly endpoint: Endpoint;
  readonly framing: Framing;
  readonly serial: SerialSettings;
  readonly unit: number;
  readonly pauseMs: number;
  readonly connections: number;
  readonly pipeline: number;
  readonly limits: ReadLimits;
  readonly maxWriteRegisters: number;
  readonly writesMultiple: boolean;
  readonly hasMaskWrite: boolean;
}

const DEFAULT_PORT = 502;

/** Throws `Misconfigured`. */
export function modbusOptions({ endpoint: text, options }: DeviceSettings): ModbusOptions {
  const endpoint = endpointOf(text, DEFAULT_PORT);
  const name = (options['framing'] as FramingName | undefined) ?? (endpoint.kind === 'tcp' ? 'TCP' : 'RTU');
  if (endpoint.kind === 'serial' && name === 'TCP')
    throw new DriverError('Misconfigured', 'on a serial line the framing is RTU or ASCII');
  const framing = framingNamed(name);
  const serial = serialSettings(options['serial']);
  const number = (key: string, fallback: number) => Number(options[key] ?? fallback);
  return {
    endpoint,
    framing,
    serial,
    unit: number('unit', 1),
    pauseMs: parseDuration(String(options['pause'] ?? '')) ?? (endpoint.kind === 'serial' ? silenceMs(serial) : 0),
    connections: endpoint.kind === 'serial' ? 1 : number('connections', 1),
    pipeline: framing.hasTransactions ? number('pipeline', 1) : 1,
    limits: {
      maxRegisters: number('maxRegisters', 125),
      maxBits: number('maxBits', 2000),
      maxGap: number('maxGap', 8),
    },
    maxWriteRegisters: number('maxWriteRegisters', 123),
    writesMultiple: options['writeMultiple'] === true,
    hasMaskWrite: options['maskWrite'] !== 'ReadModifyWrite',
  };
}

const BITS_A_CHARACTER = 11;
const SILENT_CHARACTERS = 3.5;
/** From here on the specification fixes the silence. */
const FAST_BAUD = 19_200;
const FAST_SILENCE_MS = 2;

function silenceMs({ baudRate }: SerialSettings): number {
  return baudRate > FAST_BAUD ? FAST_SILENCE_MS : Math.ceil((SILENT_CHARACTERS * BITS_A_CHARACTER * 1000) / baudRate);
}
