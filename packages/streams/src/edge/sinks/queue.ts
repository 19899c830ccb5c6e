/** Rows on their way to something that may be away: in order, again and again, and never more than a bound. */
import { type BackoffPolicy, BoundedQueue, backoffDelay, messageOf } from '@skerry/base';
import type { SinkStatus } from '../../kinds/rule.ts';
import type { Row } from '../../sql/index.ts';
import type { Sink, SinkContext } from './sink.ts';

/** Rows that came at once. */
interface Parcel {
  readonly rows: readonly Row[];
  readonly time: number;
}

/** Some of the rows will never be taken; all others have arrived. */
export class RowsRefused extends Error {
  override readonly name = 'RowsRefused';
  readonly rows: number;

  constructor(rows: number, cause: unknown) {
    super(messageOf(cause), { cause });
    this.rows = rows;
  }
}

export interface Sending {
  /** Rows go one by one, each for itself; without it, all that came at once go at once. */
  readonly isOneByOne?: boolean;
  /** Up to so many rows go at once, though they came one after the other; more only of what came at once. */
  readonly maxTogether?: number;
  /** Resolves once they have arrived; may throw RowsRefused. Each row has its time. */
  send(rows: readonly Row[], signal: AbortSignal, times: readonly number[]): Promise<void>;
  /** Whether it is of no use to send them again. */
  isFinal?(error: unknown): boolean;
  close?(): Promise<void>;
}

/** What is on its way has so long to arrive when the rule ends. */
const SETTLE_MS = 3000;
const RETRY: BackoffPolicy = { baseMs: 500, capMs: 30_000 };

export function queuedSink(context: SinkContext, sending: Sending): Sink {
  return new QueuedSink(context, sending);
}

class QueuedSink implements Sink {
  readonly #context: SinkContext;
  readonly #sending: Sending;
  readonly #queue: BoundedQueue<Parcel>;
  readonly #closing = new AbortController();
  /** Nothing more goes on its way. */
  readonly #settling = new AbortController();
  /** On their way, and how many of their rows have arrived. */
  #current: readonly Parcel[] = [];
  #arrived = 0;
  #running: Promise<void> = Promise.resolve();
  #isRunning = false;
  /** In the queue. */
  #waiting = 0;
  #rows = 0;
  #failures = 0;
  #dropped = 0;
  #lastError = '';

  constructor(context: SinkContext, sending: Sending) {
    this.#context = context;
    this.#sending = sending;
    this.#queue = new BoundedQueue(`${context.rule}/${context.sink.name}`, context.maxWaiting);
    for (const { rows, time } of (context.saved as readonly Parcel[] | undefined) ?? []) this.take(rows, time);
  }

  take(rows: readonly Row[], time: number): void {
    // What comes at once stays together, however much it is.
    while (this.#queue.size > 0 && this.#waiting + rows.length > this.#queue.limit)
      this.#dropped += this.#next()?.rows.length ?? 0;
    this.#queue.offer({ rows, time });
    this.#waiting += rows.length;
    if (this.#isRunning || this.#settling.signal.aborted) return;
    this.#isRunning = true;
    this.#running = this.#run();
  }

  /** Before it is: one row of a source may be several here. */
  isFull(): boolean {
    return this.#waiting * 2 >= this.#queue.limit;
  }

  status(): SinkStatus {
    const waiting = this.#waiting + rowsIn(this.#current) - this.#arrived;
    return { rows: this.#rows, failures: this.#failures, waiting, lastError: this.#lastError };
  }

  dropped(): number {
    return this.#dropped;
  }

  /** What has not arrived, to be sent by whoever comes after. */
  save(): readonly Parcel[] {
    return [...withoutFirst(this.#current, this.#arrived), ...this.#queue];
  }

  async settle(): Promise<void> {
    this.#settling.abort();
    using _ = this.#context.clock.after(SETTLE_MS, () => this.#closing.abort(), { unref: true });
    await this.#running;
  }

  async close(): Promise<void> {
    this.#settling.abort();
    this.#closing.abort();
    await this.#running;
    await this.#sending.close?.();
  }

  #next(): Parcel | undefined {
    const parcel = this.#queue.take();
    this.#waiting -= parcel?.rows.length ?? 0;
    return parcel;
  }

  async #run(): Promise<void> {
    while (!this.#settling.signal.aborted) {
      this.#current = this.#nextTogether();
      if (this.#current.length === 0) break;
      await this.#deliver(this.#current);
    }
    this.#isRunning = false;
  }

  /** What goes at once. */
  #nextTogether(): readonly Parcel[] {
    const { maxTogether = 0 } = this.#sending;
    const parcels: Parcel[] = [];
    for (let rows = 0; ; ) {
      const [first] = this.#queue;
      if (first === undefined || (parcels.length > 0 && rows + first.rows.length > maxTogether)) return parcels;
      rows += first.rows.length;
      this.#next();
      parcels.push(first);
    }
  }

  /** What has not arrived when it resolves stays current. */
  async #deliver(parcels: readonly Parcel[]): Promise<void> {
    const { signal } = this.#settling;
    const rows = parcels.flatMap((parcel) => parcel.rows);
    const times = parcels.flatMap((parcel) => parcel.rows.map(() => parcel.time));
    for (let attempt = 1; this.#arrived < rows.length && !signal.aborted; attempt++) {
      const until = this.#sending.isOneByOne === true ? this.#arrived + 1 : rows.length;
      if (await this.#try(rows.slice(this.#arrived, until), times.slice(this.#arrived, until))) {
        this.#arrived = until;
        attempt = 0;
      } else {
        const { clock, random } = this.#context;
        await clock.sleep(backoffDelay(RETRY, attempt, random), signal).catch(() => {});
      }
    }
    if (this.#arrived < rows.length) return;
    this.#current = [];
    this.#arrived = 0;
  }

  /** Whether they need not be sent again. */
  async #try(rows: readonly Row[], times: readonly number[]): Promise<boolean> {
    try {
      await this.#sending.send(rows, this.#closing.signal, times);
      this.#rows += rows.length;
      this.#lastError = '';
      return true;
    } catch (error) {
      if (this.#closing.signal.aborted) return false;
      this.#failures++;
      this.#lastError = messageOf(error);
      const refused = this.#refusedOf(error, rows.length);
      if (refused === undefined) return false;
      this.#dropped += refused;
      this.#rows += rows.length - refused;
      return true;
    }
  }

  /** How many of the rows are lost; undefined: it is of use to send them again. */
  #refusedOf(error: unknown, rows: number): number | undefined {
    if (error instanceof RowsRefused) return error.rows;
    return this.#sending.isFinal?.(error) === true ? rows : undefined;
  }
}

function rowsIn(parcels: readonly Parcel[]): number {
  return parcels.reduce((sum, { rows }) => sum + rows.length, 0);
}

function withoutFirst(parcels: readonly Parcel[], count: number): readonly Parcel[] {
  let left = count;
  return parcels.flatMap(({ rows, time }) => {
    const gone = Math.min(left, rows.length);
    left -= gone;
    return gone > 0 && gone === rows.length ? [] : [{ rows: rows.slice(gone), time }];
  });
}
