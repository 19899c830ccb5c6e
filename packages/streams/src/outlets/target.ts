/** What an outlet asks of the engine behind it. */
import type { Labels, SeriesRows, StoredType } from '../store/index.ts';
import type { Reach } from './reach.ts';

/** Rows of one series, by time. */
export interface OutletRows {
  readonly labels: Labels;
  readonly type: StoredType;
  readonly rows: SeriesRows;
}

/** Why rows never reach the engine although it was there. */
export type OutletDrop =
  /** It knows numbers only, and this is none. */
  | 'NotNumeric'
  /** NaN or infinite, where it knows no such thing. */
  | 'NotFinite'
  /** Bad quality, and the outlet sends none of that. */
  | 'BadQuality'
  /** The engine will never take them. */
  | 'Refused';

export interface Sent {
  readonly rows: number;
  readonly dropped: Readonly<Partial<Record<OutletDrop, number>>>;
}

/** At least once: a send that failed is repeated whole, and engines get the same rows again. */
export interface OutletTarget {
  /** Resolves once the engine has the rows. Throws `OutletError` when it has not, or not for certain. */
  send(rows: readonly OutletRows[], signal: AbortSignal): Promise<Sent>;
  close(): Promise<void>;
}

export class OutletError extends Error {
  /** The engine has looked at the rows and will never take them; without it, the same is tried again. */
  readonly isFinal: boolean;
  /** The engine's own words, for the log: a status shows them to people who may not ask that server. */
  readonly said: string;

  constructor(message: string, { isFinal = false, said = '', cause }: OutletErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.isFinal = isFinal;
    this.said = said;
  }
}

interface OutletErrorOptions {
  readonly isFinal?: boolean;
  readonly said?: string;
  readonly cause?: unknown;
}

/** Where the engine is and how it is reached. */
export interface TargetSettings {
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly credentials: Credentials;
  readonly options: Readonly<Record<string, unknown>>;
  /** Files are written in here only. */
  readonly folder: string;
  /** Whom it may connect to. */
  readonly reach: Reach;
}

/** As a Secret has them: kubernetes.io/basic-auth, kubernetes.io/tls, and `token`. */
export interface Credentials {
  readonly username?: string;
  readonly password?: string;
  readonly token?: string;
  readonly certificate?: string;
  readonly key?: string;
  /** Who may have signed the engine's certificate; the system's authorities without it. */
  readonly authority?: string;
}
