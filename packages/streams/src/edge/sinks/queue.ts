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
  /** Resolves once they have arrived; may throw RowsRefused. */
  send(rows: readonly Row[], time: number, signal: AbortSignal): Promise<void>;
  /** Whether it is of no use to send them again. */
  isFinal?(error: unknown): boolean;
  close?(): Promise<void>;
}

const RETRY: BackoffPolicy = { baseMs: 500, capMs: 30_000 };

export function queuedSink(context: SinkContext, sending: Sending): Sink {
  return new QueuedSink(context, sending);
}

class QueuedSink implements Sink {
  readonly #context: SinkContext;
  readonly #sending: Sending;
  readonly #queue: BoundedQueue<Parcel>;
  readonly #closing = new AbortController();
  /** On its way. */
  #current: Parcel | undefined;
  #running: Promise<void> = Promise.resolve();
  #isRunning = false;
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
    if (!this.#queue.offer({ rows, time })) {
      this.#dropped += this.#queue.take()?.rows.length ?? 0;
      this.#queue.offer({ rows, time });
    }
    if (this.#isRunning || this.#closing.signal.aborted) return;
    this.#isRunning = true;
    this.#running = this.#run();
  }

  status(): SinkStatus {
    const waiting = this.#queue.size + (this.#current === undefined ? 0 : 1);
    return { rows: this.#rows, failures: this.#failures, waiting, lastError: this.#lastError };
  }

  dropped(): number {
    return this.#dropped;
  }

  /** What has not arrived, to be sent by whoever comes after. */
  save(): readonly Parcel[] {
    return [...(this.#current === undefined ? [] : [this.#current]), ...this.#queue];
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#running;
    await this.#sending.close?.();
  }

  async #run(): Promise<void> {
    for (let next = this.#queue.take(); next !== undefined; next = this.#queue.take()) {
      this.#current = next;
      await this.#deliver(next);
      if (this.#closing.signal.aborted) break;
      this.#current = undefined;
    }
    this.#isRunning = false;
  }

  async #deliver({ rows, time }: Parcel): Promise<void> {
    const { signal } = this.#closing;
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await this.#sending.send(rows, time, signal);
        this.#rows += rows.length;
        this.#lastError = '';
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.#failures++;
        this.#lastError = messageOf(error);
        const refused = this.#refusedOf(error, rows.length);
        if (refused !== undefined) {
          this.#dropped += refused;
          this.#rows += rows.length - refused;
          return;
        }
        const { clock, random } = this.#context;
        await clock.sleep(backoffDelay(RETRY, attempt, random), signal).catch(() => {});
      }
    }
  }

  /** How many of the rows are lost; undefined: it is of use to send them again. */
  #refusedOf(error: unknown, rows: number): number | undefined {
    if (error instanceof RowsRefused) return error.rows;
    return this.#sending.isFinal?.(error) === true ? rows : undefined;
  }
}
