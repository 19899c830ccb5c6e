/** The one door for everybody at the node who writes to devices or calls their commands: policy decides, the device confirms. */
import type { WriteResult } from '../../resources/device-status.ts';

export interface DeviceDoor {
  /** One outcome a property; a device that is not driven here rejects every value. Rejects only when the signal aborts. */
  write(request: WriteRequest, signal: AbortSignal): Promise<WriteOutcomes>;
  /** Resolves to the output, as JSON. Rejects with a DriverError. */
  call(request: CommandRequest, signal: AbortSignal): Promise<Readonly<Record<string, unknown>>>;
}

export interface WriteRequest {
  readonly namespace: string;
  readonly device: string;
  /** Who wants it, for people: `gateway`, `loop/NAME`. */
  readonly by: string;
  /** JSON by property, as in `spec.desired`. */
  readonly values: Readonly<Record<string, unknown>>;
  /** `Acknowledged`: enough for who writes again and again, as a control loop does, and remembered nowhere. */
  readonly until?: 'Confirmed' | 'Acknowledged';
}

export type WriteOutcomes = Readonly<Record<string, WriteOutcome>>;

export interface WriteOutcome {
  readonly result: WriteResult;
  /** Why it was not, in words. */
  readonly reason?: string;
  /** When this was found; RFC 3339. */
  readonly time: string;
}

export interface CommandRequest {
  readonly namespace: string;
  readonly device: string;
  readonly by: string;
  readonly command: string;
  /** JSON by parameter. */
  readonly input: Readonly<Record<string, unknown>>;
}
