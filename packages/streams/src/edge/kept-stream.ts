/** A stream whose messages are kept: each rule reads them from where it is, and what it has not in a checkpoint comes again. */
import { type Clock, messageOf, type Timer } from '@skerry/base';
import { parseObjectKey } from '@skerry/kube/controller';
import type { RowWithMeta } from '../engine/meta.ts';
import type { StreamNodeStatus, StreamSpec } from '../kinds/stream.ts';
import type { LoggedMessage, MessageLog } from './message-log.ts';
import { RateMeter } from './rate-meter.ts';
import { messageTaker } from './sources/take-message.ts';
import type { StreamReader } from './stream-hub.ts';

interface Reading {
  readonly reader: StreamReader;
  /** The last message that it was given. */
  number: number;
}

/** So many messages at once, when a reader catches up. */
const CHUNK = 1000;
/** How often it is asked whether there is room for the next message. */
const FULL_MS = 20;

export class KeptStream {
  readonly #name: string;
  readonly #log: MessageLog;
  readonly #clock: Clock;
  readonly #meter: RateMeter;
  readonly #take: (message: LoggedMessage) => void;
  readonly #readings = new Map<StreamReader, Reading>();
  /** Whom the message that is being read is for. */
  #readers: readonly StreamReader[] = [];
  /** Of the next try to give those what they had no room for. */
  #timer: Timer | undefined;
  #failed = 0;
  #lastFailure = '';

  constructor(name: string, spec: StreamSpec, log: MessageLog, clock: Clock) {
    this.#name = name;
    this.#log = log;
    this.#clock = clock;
    this.#meter = new RateMeter(clock);
    const take = messageTaker(spec, {
      row: (row: RowWithMeta, time: number | undefined) => {
        for (const reader of this.#readers) reader.row(row, time);
      },
      failed: (error) => {
        this.#failed++;
        this.#lastFailure = messageOf(error);
      },
      problem: () => {},
      end: () => {},
    });
    this.#take = ({ topic, body }) => take(body, { topic });
  }

  get isRead(): boolean {
    return this.#readings.size > 0;
  }

  /** What its checkpoint does not have, it gets as soon as it has room. */
  join(reader: StreamReader, position: unknown): void {
    const known = this.#log.join(this.#name, reader.name);
    // A log that was lost counts from the beginning again.
    const isKnown = typeof position === 'number' && position <= this.#log.last(this.#name);
    const reading = { reader, number: isKnown ? position : known };
    this.#readings.set(reader, reading);
    this.#catchUp(reading);
  }

  leave(reader: StreamReader): void {
    this.#readings.delete(reader);
    if (this.#readings.size === 0) this.#timer?.cancel();
  }

  position(reader: StreamReader): number | undefined {
    return this.#readings.get(reader)?.number;
  }

  confirm(reader: StreamReader, position: unknown): void {
    if (typeof position === 'number') this.#log.confirm(this.#name, reader.name, position);
  }

  /** Kept, then given to whoever reads. */
  async keep(topic: string, body: string): Promise<void> {
    const number = await this.#log.append(this.#name, topic, body);
    this.#meter.add(1);
    // Those of one write come to this in their order; who lacks one before it has a part of them still to read.
    const ready = [...this.#readings.values()].filter((each) => each.number === number - 1 && !each.reader.isFull());
    for (const reading of ready) reading.number = number;
    this.#give({ number, topic, body }, ready);
    for (const reading of this.#readings.values()) if (reading.number < number) this.#catchUp(reading);
  }

  status(trouble: string | undefined): StreamNodeStatus {
    const overrun = this.#log.dropped(this.#name);
    return {
      state: trouble === undefined ? 'Running' : 'Waiting',
      lastError: trouble ?? this.#lastFailure,
      rows: this.#meter.total,
      rowsPerSecond: this.#meter.perSecond(),
      dropped: {
        ...(this.#failed === 0 ? {} : { Unreadable: this.#failed }),
        ...(overrun === 0 ? {} : { Overrun: overrun }),
      },
      rules: [...this.#readings.keys()].map(({ name }) => parseObjectKey(name).name),
    };
  }

  #catchUp(reading: Reading): void {
    for (;;) {
      const messages = this.#log.read(this.#name, reading.number, CHUNK);
      for (const message of messages) {
        if (reading.reader.isFull()) {
          this.#tryAgain();
          return;
        }
        reading.number = message.number;
        this.#give(message, [reading]);
      }
      if (messages.length < CHUNK) return;
    }
  }

  #tryAgain(): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.after(FULL_MS, () => this.#catchUpAll(), { unref: true });
  }

  #catchUpAll(): void {
    for (const reading of this.#readings.values()) this.#catchUp(reading);
  }

  #give(message: LoggedMessage, readings: readonly Reading[]): void {
    if (readings.length === 0) return;
    this.#readers = readings.map(({ reader }) => reader);
    this.#take(message);
  }
}
