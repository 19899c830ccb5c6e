/** One Device's part of a line: questions with their answers, and everything that comes is also told to whoever listens. */
import type { Clock, Timer } from '@skerry/base';
import { DriverError } from '../driver-error.ts';
import type { EndTurn, Line, LineListener } from './line.ts';
import type { Share } from './shared.ts';

/** Makes messages of bytes, however they come. */
export interface MessageReader<Message> {
  push(bytes: Uint8Array): Heard<Message>;
  /** What began is the beginning of nothing. */
  clear(): void;
}

export interface Heard<Message> {
  readonly messages: readonly Message[];
  /** So many could not be read. */
  readonly lost: number;
  /** What is wrong with something that came, as in "what came after X …"; it may have been the answer. */
  readonly fault?: string | undefined;
}

export interface Question<Message, Answer> {
  /** For people: what is asked. */
  readonly what: string;
  /** Asked for when it is its turn. */
  readonly bytes: () => Uint8Array;
  /** What the message says, or why the device refuses; undefined when it is not the answer. */
  readonly answerIn: (message: Message) => Answer | DriverError | undefined;
}

export interface MessageListener<Message> {
  message(message: Message): void;
  lost(count: number): void;
}

export interface ChannelOptions<Message> {
  readonly share: Share<Line>;
  readonly reader: MessageReader<Message>;
  readonly clock: Clock;
  readonly timeoutMs: number;
}

interface Asked<Message> {
  readonly what: string;
  /** Whether the message was the answer. */
  readonly take: (message: Message) => boolean;
  readonly reject: (error: DriverError) => void;
  readonly endTurn: EndTurn;
  readonly timer: Timer;
}

export class Channel<Message> {
  readonly ended: Promise<DriverError | undefined>;
  readonly listeners = new Set<MessageListener<Message>>();
  readonly #options: ChannelOptions<Message>;
  readonly #line: Line;
  readonly #ear: LineListener;
  readonly #closing = Promise.withResolvers<undefined>();
  /** Whoever waits for a turn or for an answer. */
  readonly #askers = new Set<(error: DriverError) => void>();
  #asked: Asked<Message> | undefined;
  #end: DriverError | undefined;

  constructor(options: ChannelOptions<Message>) {
    const { share, reader } = options;
    this.#options = options;
    this.#line = share.thing;
    this.#ear = { bytes: (bytes) => this.#onBytes(bytes), forget: () => reader.clear() };
    this.#line.listeners.add(this.#ear);
    void this.#line.ended.then((error) => {
      this.#fail(error ?? new DriverError('Closed', 'the session was closed'));
      this.#settle(() => {});
    });
    this.ended = Promise.race([this.#closing.promise, this.#line.ended]);
  }

  /** Waits for its turn, then for the answer. Rejects with a DriverError. */
  async ask<Answer>(question: Question<Message, Answer>, signal: AbortSignal): Promise<Answer> {
    if (this.#end !== undefined) throw this.#end;
    if (signal.aborted) throw new DriverError('Closed', 'the request was given up');
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const withdraw = this.#line.take((endTurn) => this.#send(question, { resolve, reject, endTurn }));
    // What is on its way keeps its turn until it is answered or late: the device is at it.
    const giveUp = () => {
      withdraw();
      reject(new DriverError('Closed', 'the request was given up'));
    };
    const leave = (error: DriverError) => {
      withdraw();
      reject(error);
    };
    signal.addEventListener('abort', giveUp, { once: true });
    this.#askers.add(leave);
    try {
      return await promise;
    } finally {
      this.#askers.delete(leave);
      signal.removeEventListener('abort', giveUp);
    }
  }

  /** Sent without waiting for anything. */
  say(bytes: Uint8Array): void {
    if (this.#end !== undefined) throw this.#end;
    this.#line.write(bytes);
  }

  /** The others on the line go on. */
  close(): void {
    this.#fail(new DriverError('Closed', 'the session was closed'));
    this.#closing.resolve(undefined);
    this.#line.listeners.delete(this.#ear);
    this.#options.share.release();
  }

  #send<Answer>(
    { what, bytes, answerIn }: Question<Message, Answer>,
    { resolve, reject, endTurn }: Pick<PromiseWithResolvers<Answer>, 'resolve' | 'reject'> & { endTurn: EndTurn },
  ): void {
    const { clock, timeoutMs, reader } = this.#options;
    const take = (message: Message) => {
      const answer = answerIn(message);
      if (answer === undefined) return false;
      if (answer instanceof DriverError) reject(answer);
      else resolve(answer);
      return true;
    };
    const timer = clock.after(timeoutMs, () => {
      // What began to come and never ended is no beginning of the next answer, whoever asks next.
      this.#line.forget();
      const late = new DriverError('TimedOut', `no answer to ${what} within ${timeoutMs} ms`);
      this.#settle((asked) => asked.reject(late));
    });
    // Of what others were answered nothing is left to be taken for the beginning of an answer.
    if (this.#line.listeners.size > 1) reader.clear();
    this.#asked = { what, take, reject, endTurn, timer };
    this.#line.write(bytes());
  }

  #settle(how: (asked: Asked<Message>) => void): void {
    const asked = this.#asked;
    if (asked === undefined) return;
    this.#asked = undefined;
    asked.timer.cancel();
    how(asked);
    asked.endTurn();
  }

  #onBytes(bytes: Uint8Array): void {
    const before = this.#asked;
    const { messages, lost, fault } = this.#options.reader.push(bytes);
    if (lost > 0) for (const listener of this.listeners) listener.lost(lost);
    for (const message of messages) this.#onMessage(message);
    if (fault === undefined || before === undefined || this.#asked !== before) return;
    const { what } = before;
    this.#settle((asked) => asked.reject(new DriverError('Malformed', `what came after ${what} ${fault}`)));
  }

  #onMessage(message: Message): void {
    for (const listener of this.listeners) listener.message(message);
    if (this.#asked?.take(message) === true) this.#settle(() => {});
  }

  #fail(error: DriverError): void {
    this.#end ??= error;
    for (const leave of this.#askers) leave(this.#end);
  }
}
