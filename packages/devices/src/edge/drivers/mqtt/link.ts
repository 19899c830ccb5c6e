/** A connection to a broker, whichever it is. */
import type { DriverError } from '../../driver-error.ts';

export interface Link {
  /** Resolves once it is so; what the broker keeps of the topics comes each time anew. */
  subscribe(filters: readonly string[], qos: Qos): Promise<void>;
  /** Resolves once the broker has acknowledged it. */
  publish(message: Outgoing): Promise<void>;
  /** Settles when nothing more can come: with what ended it, or undefined after `close`. Never rejects. */
  readonly ended: Promise<DriverError | undefined>;
  close(): Promise<void>;
}

export type Qos = 0 | 1 | 2;

export interface Outgoing {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: Qos;
  readonly isRetained: boolean;
}

export type OnMessage = (topic: string, payload: Uint8Array) => void;
