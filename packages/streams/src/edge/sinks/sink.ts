/** Where results go. */
import type { Clock, Logger } from '@skerry/base';
import type { RuleSink, SinkStatus } from '../../kinds/rule.ts';
import type { Row } from '../../sql/index.ts';
import type { SeriesStore } from '../../store/index.ts';
import type { NodeValues } from '../node-values.ts';
import type { Secret } from '../secrets.ts';

export interface Sink {
  /** Never waits and never throws. */
  take(rows: readonly Row[], time: number): void;
  /** It takes rows all the same, but whoever can wait with them should, so that none is lost. */
  isFull?(): boolean;
  status(): SinkStatus;
  /** Rows that were lost here. */
  dropped(): number;
  /** What is to be kept with the state of the rule, so that after a crash nothing is lost, or doubled where that can be. */
  save?(): unknown;
  /** What `save` gave last is on disk. */
  saved?(): void;
  /** What is on its way has arrived when it resolves, and nothing more goes on its way: the rest is for whoever comes after. */
  settle?(): Promise<void>;
  close(): Promise<void>;
}

export interface SinkContext {
  readonly namespace: string;
  readonly rule: string;
  readonly sink: RuleSink;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  readonly folder: string;
  readonly secret: Secret;
  readonly values: NodeValues;
  /** The node’s store of time series, opened when it is first needed. */
  readonly store: () => Promise<SeriesStore>;
  readonly maxWaiting: number;
  /** As `save` gave it before a restart. */
  readonly saved: unknown;
}
