/** What the rest of the worker sees of a device that is driven here: twin, control loops, gateway, live values. */
import type { ResolvedModel } from '../../models/resolve-model.ts';
import type { Device } from '../../resources/device.ts';
import type { DeviceCounters, DeviceState } from '../../resources/device-status.ts';
import type { DeviceHistoryRequest, HistoryValue } from '../../telemetry/history-request.ts';
import type { Value } from '../../values/value.ts';
import type { DriverError } from '../driver-error.ts';
import type { PlannedPoint } from './device-plan.ts';

export interface LiveDevice {
  readonly namespace: string;
  readonly name: string;
  /** As the API last showed it. */
  readonly device: Device;
  readonly model: ResolvedModel;
  readonly points: readonly PlannedPoint[];
  point(property: string): PlannedPoint | undefined;
  readonly condition: DeviceCondition;
  /** What is written in this turn goes to a session that is there. */
  readonly isConnected: boolean;
  /** When it last said something good; milliseconds since 1970. */
  readonly lastGoodAt: number | undefined;
  /** Undefined for what was acknowledged. Never rejects; a device that is not connected fails every write as `Unreachable`. */
  write(values: ReadonlyMap<string, Value>, signal: AbortSignal): Promise<ReadonlyMap<string, DriverError | undefined>>;
  /** Asks the device now; what it says also goes on the bus. */
  readBack(properties: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, Value | DriverError>>;
  /** What the device itself has kept, oldest first. Rejects with a DriverError. */
  history(
    property: string,
    range: Pick<DeviceHistoryRequest, 'from' | 'to' | 'limit'>,
    signal: AbortSignal,
  ): Promise<readonly HistoryValue[]>;
  /** Rejects with a DriverError. */
  call(command: string, input: ReadonlyMap<string, Value>, signal: AbortSignal): Promise<ReadonlyMap<string, Value>>;
}

/** How a device is, as its status tells it. */
export interface DeviceCondition {
  readonly state: DeviceState;
  readonly lastError: string;
  /** Milliseconds since 1970, all of them. */
  readonly lastErrorAt?: number;
  readonly lastSeenAt?: number;
  readonly connectedAt?: number;
  readonly counters: DeviceCounters;
}

/** The devices that are driven here. */
export interface LiveDevices {
  get(namespace: string, name: string): LiveDevice | undefined;
  all(): readonly LiveDevice[];
  /** Hears of each device that comes, changes its plan or its condition, or goes; the returned function ends it. */
  onChange(handler: (key: string) => void): () => void;
  /** Hears of what devices report by themselves; the returned function ends it. */
  onEvent(handler: (event: DeviceEvent) => void): () => void;
}

/** An event of the model, as a device has reported it. */
export interface DeviceEvent {
  readonly namespace: string;
  readonly device: string;
  readonly event: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly fields: ReadonlyMap<string, Value>;
}
