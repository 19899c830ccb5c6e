/** For tests: a Modbus device in memory and a driver before it, on a clock that stands still. */
import { silentLogger } from '@skerry/base';
import { type FakeClock, fakeClock } from '@skerry/testkit';
import type { FramingName } from '../../../../modbus/framing.ts';
import { ModbusServer } from '../../../../simulators/modbus/server.ts';
import { ModbusUnit, type UnitOptions } from '../../../../simulators/modbus/unit.ts';
import { settingsOf } from '../../../conformance/index.ts';
import type { DeviceSettings, Driver, DriverContext, Point, PointWrite, Session } from '../../../driver.ts';
import { DriverError } from '../../../driver-error.ts';
import { memoryCable } from '../../../testing/memory-stream.ts';
import { createModbus } from '../driver.ts';

export interface Plant {
  readonly clock: FakeClock;
  readonly server: ModbusServer;
  readonly driver: Driver;
  /** How often a connection was opened. */
  readonly opened: number;
  /** Nobody can connect while it is so. */
  isAway: boolean;
  unit(id: number): ModbusUnit;
  settings(given?: Partial<DeviceSettings>): DeviceSettings;
  connect(given?: Partial<DeviceSettings>): Promise<Session>;
  /** Values and errors (as texts) by place. */
  read(session: Session, points: readonly Point[]): Promise<readonly unknown[]>;
  write(session: Session, ...writes: readonly PointWrite[]): Promise<readonly (string | undefined)[]>;
  /** Lets time pass until the promise has settled. */
  settle<T>(promise: Promise<T>): Promise<T>;
  readonly context: DriverContext;
}

const STEP_MS = 50;
const MAX_STEPS = 4000;

export function plant(units: Readonly<Record<number, UnitOptions>> = { 1: {} }, framing: FramingName = 'TCP'): Plant {
  const clock = fakeClock();
  const known = new Map(Object.entries(units).map(([id, options]) => [Number(id), new ModbusUnit(options)]));
  const server = new ModbusServer(known);
  let opened = 0;
  const driver = createModbus({
    clock,
    openStream: async () => {
      if (made.isAway) throw new DriverError('Unreachable', 'the device is switched off');
      opened++;
      const cable = memoryCable();
      server.attach(cable.ends[1], framing);
      return cable.ends[0];
    },
  });
  const context: DriverContext = { clock, log: silentLogger, signal: new AbortController().signal };
  const settle = <T>(promise: Promise<T>) => settleOn(clock, promise);
  const settings = (given: Partial<DeviceSettings> = {}) =>
    settingsOf({
      endpoint: framing === 'TCP' ? 'tcp://device:502' : 'serial:///dev/ttyS0',
      ...given,
      options: { framing, ...given.options },
    });
  const made: Plant = {
    clock,
    server,
    driver,
    context,
    isAway: false,
    get opened() {
      return opened;
    },
    unit: (id) => {
      const unit = known.get(id);
      if (unit === undefined) throw new RangeError(`no unit ${id}`);
      return unit;
    },
    settings,
    settle,
    connect: (given) => settle(driver.connect(settings(given), context)),
    read: async (session, points) => {
      const seen: unknown[] = [];
      const sink = {
        value: (index: number, raw: unknown) => (seen[index] = raw),
        fail: (index: number, error: DriverError) => (seen[index] = `${error.kind}: ${error.message}`),
      };
      await settle(session.group(points).read(sink, context.signal));
      return seen;
    },
    write: async (session, ...writes) => {
      const outcomes = (await settle(session.write?.(writes, context.signal) ?? Promise.resolve([]))) ?? [];
      return outcomes.map((error) => (error === undefined ? undefined : `${error.kind}: ${error.message}`));
    },
  };
  return made;
}

async function settleOn<T>(clock: FakeClock, promise: Promise<T>): Promise<T> {
  let isDone = false;
  promise.then(
    () => (isDone = true),
    () => (isDone = true),
  );
  await clock.settle();
  for (let step = 0; !isDone && step < MAX_STEPS; step++) await clock.advance(STEP_MS);
  return promise;
}
