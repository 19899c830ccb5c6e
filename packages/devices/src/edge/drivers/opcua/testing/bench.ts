/** For tests: the driver against a server, and what a sink has heard. */
import { silentLogger, systemClock } from '@skerry/base';
import { opcuaProtocol } from '../../../../protocols/opcua.ts';
import { withDefaults } from '../../../../protocols/protocol.ts';
import { compileCodec } from '../../../../values/codec.ts';
import type { RawValue } from '../../../../values/encoding.ts';
import type { Value } from '../../../../values/value.ts';
import { pointOf, settingsOf } from '../../../conformance/index.ts';
import type { DeviceSettings, DriverContext, Point, SampleSink, Session } from '../../../driver.ts';
import type { DriverError } from '../../../driver-error.ts';
import { createOpcuaDriver } from '../driver.ts';
import type { Peer } from './peer.ts';

export const driver = createOpcuaDriver({});

export function settingsFor(peer: Peer, options: object = {}, more: Partial<DeviceSettings> = {}): DeviceSettings {
  return settingsOf({
    endpoint: peer.endpoint,
    // Generous: machines that run tests are slow at times.
    timeoutMs: 10_000,
    trust: { trusted: [peer.certificate], issuers: [], revocationLists: [] },
    options: withDefaults({ securityMode: 'None', publishingInterval: '50ms', ...options }, opcuaProtocol.options),
    ...more,
  });
}

export function contextOf(more: Partial<DriverContext> = {}): DriverContext {
  return { clock: systemClock, log: silentLogger, signal: new AbortController().signal, ...more };
}

export function pointFor(name: string, type: string, more: object = {}): Point {
  return pointOf(name, type, addressOf(`nsu=urn:skerry:peer;s=${name}`, more));
}

/** Of the numbers beside the press. */
export function numberPoint(at: number, more: object = {}): Point {
  return pointOf(`n${at}`, 'float64', addressOf(`nsu=urn:skerry:peer;i=${100_000 + at}`, more));
}

export function addressOf(nodeId: string, more: object = {}): Readonly<Record<string, unknown>> {
  return withDefaults({ nodeId, ...more }, opcuaProtocol.address);
}

/** Closed when the test ends. */
export async function connected(
  t: { after(end: () => Promise<void>): void },
  settings: DeviceSettings,
  more: Partial<DriverContext> = {},
): Promise<Session> {
  const session = await driver.connect(settings, contextOf(more));
  t.after(() => session.close());
  return session;
}

export interface Heard extends SampleSink {
  /** By point, in the order in which they came. */
  readonly values: RawValue[][];
  readonly errors: (DriverError | undefined)[];
  readonly times: (number | undefined)[];
  readonly qualities: (number | undefined)[];
  lostCount: number;
}

export function hearing(): Heard {
  const heard: Heard = {
    values: [],
    errors: [],
    times: [],
    qualities: [],
    lostCount: 0,
    value: (index, raw, time, quality) => {
      heard.values[index] ??= [];
      heard.values[index].push(raw);
      heard.times[index] = time;
      heard.qualities[index] = quality;
    },
    fail: (index, error) => {
      heard.errors[index] = error;
    },
    lost: (count) => {
      heard.lostCount += count;
    },
  };
  return heard;
}

/** Reads once; as the model has it, or why not. */
export async function read(session: Session, points: readonly Point[]): Promise<readonly (Value | DriverError)[]> {
  const heard = hearing();
  await session.group(points).read(heard, new AbortController().signal);
  return points.map(({ type, encoding }, index) => {
    const [raw] = heard.values[index] ?? [];
    return raw === undefined
      ? (heard.errors[index] as DriverError)
      : compileCodec(type, undefined, encoding).decode(raw);
  });
}
