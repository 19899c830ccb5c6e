/** A device that is spoken to by a description: requests with their answers, and what it sends by itself. */
import { parseDuration } from '@skerry/api/durations';
import type { Clock } from '@skerry/base';
import type { Frames, Message } from '../../../frames/description.ts';
import { FramesError } from '../../../frames/frames-error.ts';
import { decodeFrame, encodeFrame, isSame, sequenceIn, sequenceOf, type Values } from '../../../frames/layout.ts';
import type { RawValue } from '../../../values/encoding.ts';
import type { CallRequest, DeviceSettings, Point, PointWrite, ReadGroup, SampleSink, Session } from '../../driver.ts';
import { DriverError, driverErrorOf, isDriverError } from '../../driver-error.ts';
import type { Channel } from '../../transport/channel.ts';
import type { DeviceOptions } from './driver.ts';
import { type AskedPoints, sortPoints } from './points.ts';

export interface SessionParts {
  readonly channel: Channel<Uint8Array>;
  readonly frames: Frames;
  readonly options: DeviceOptions;
  readonly settings: DeviceSettings;
  readonly clock: Clock;
}

interface Seen {
  readonly value: RawValue;
  readonly time: number;
}

export class FramesSession implements Session {
  readonly ended: Promise<DriverError | undefined>;
  readonly #parts: SessionParts;
  /** What is the same in all that is sent; what answers brought is in it, too. */
  readonly #values: Record<string, RawValue>;
  #count = 0;

  constructor(parts: SessionParts) {
    this.#parts = parts;
    this.#values = { ...parts.options.values };
    this.ended = parts.channel.ended;
  }

  /** Rejects with a DriverError. */
  async start(signal: AbortSignal): Promise<void> {
    const { options, settings } = this.#parts;
    for (const [field, key] of Object.entries(options.secrets ?? {})) {
      const secret = settings.secret[key];
      if (secret === undefined) throw new DriverError('Misconfigured', `the Secret has no key ${key}`);
      this.#values[field] = new TextDecoder().decode(secret);
    }
    for (const request of options.start ?? []) await this.#askOnce(request, {}, signal);
  }

  group(points: readonly Point[]): ReadGroup {
    const { asked, sent, bad } = sortPoints(points, this.#parts.frames);
    // What the device sends by itself is remembered for whoever asks.
    const latest = new Map<number, Seen>();
    if (sent.length > 0)
      this.#parts.channel.listeners.add({
        lost: () => {},
        message: (frame) => this.#told(sent, frame, (index, value) => latest.set(index, { value, time: this.#now() })),
      });
    return {
      read: async (sink, signal) => {
        for (const [index, error] of bad) sink.fail(index, error);
        for (const { index } of sent) {
          const seen = latest.get(index);
          if (seen === undefined) sink.fail(index, new DriverError('TimedOut', 'the device has not sent it yet'));
          else sink.value(index, seen.value, seen.time);
        }
        await this.#askAll(asked, sink, signal);
      },
    };
  }

  async subscribe(points: readonly Point[], sink: SampleSink, signal: AbortSignal): Promise<void> {
    const { asked, sent, bad } = sortPoints(points, this.#parts.frames);
    for (const [index, error] of bad) sink.fail(index, error);
    const listener = {
      lost: (count: number) => sink.lost?.(count),
      message: (frame: Uint8Array) => this.#told(sent, frame, (index, value) => sink.value(index, value, this.#now())),
    };
    const { listeners } = this.#parts.channel;
    listeners.add(listener);
    signal.addEventListener('abort', () => listeners.delete(listener), { once: true });
    if (asked.length === 0) return;
    await this.#askAll(asked, sink, signal);
    void this.#goOnAsking(asked, sink, signal);
  }

  /** One after another: what is written first is in the device first. */
  async write(writes: readonly PointWrite[], signal: AbortSignal): Promise<readonly (DriverError | undefined)[]> {
    const outcomes: (DriverError | undefined)[] = [];
    for (const write of writes) outcomes.push(await this.#writeOne(write, signal));
    return outcomes;
  }

  async call(
    { address, input, output }: CallRequest,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, RawValue>>> {
    const given = Object.fromEntries(input.map(({ name, value }) => [name, value]));
    const asked = { ...(address['with'] as Values), ...given };
    const values = await this.#askOnce(String(address['request']), asked, signal);
    return Object.fromEntries(
      output.map(({ name }) => {
        const value = Object.hasOwn(values, name) ? values[name] : undefined;
        if (value === undefined) throw new DriverError('Malformed', `the answer has no field ${name}`);
        return [name, value];
      }),
    );
  }

  close(): Promise<void> {
    this.#parts.channel.close();
    return Promise.resolve();
  }

  #now(): number {
    return this.#parts.clock.now();
  }

  #told(
    points: readonly { readonly index: number; readonly message: Message; readonly field: string }[],
    frame: Uint8Array,
    tell: (index: number, value: RawValue) => void,
  ): void {
    for (const { index, message, field } of points) {
      const value = this.#decoded(message, frame)?.[field];
      if (value !== undefined) tell(index, value);
    }
  }

  /** Rejects when the device answers nothing at all, and asks no further once it is silent. */
  async #askAll(asked: readonly AskedPoints[], sink: SampleSink, signal: AbortSignal): Promise<void> {
    let hasAnswer = false;
    let silent: DriverError | undefined;
    for (const { request, with: given, points } of asked) {
      const answer: Values | DriverError =
        silent ?? (await this.#read(request, given, signal).catch((error: unknown) => driverErrorOf(error)));
      if (!(answer instanceof DriverError)) {
        hasAnswer = true;
        for (const { index, field } of points) tell(index, answer[field], sink);
        continue;
      }
      if (isDriverError(answer, 'Rejected', 'Misconfigured')) hasAnswer = true;
      else if (!hasAnswer) throw answer;
      else silent = answer;
      for (const { index } of points) sink.fail(index, answer);
    }
  }

  async #goOnAsking(asked: readonly AskedPoints[], sink: SampleSink, signal: AbortSignal): Promise<void> {
    const { clock, options } = this.#parts;
    const intervalMs = Math.max(1, parseDuration(options.interval ?? '1s') ?? 1000);
    let isOver = false;
    void this.ended.then(() => (isOver = true));
    while (!signal.aborted && !isOver) {
      await clock.sleep(intervalMs, signal).catch(() => {});
      if (signal.aborted) return;
      await this.#askAll(asked, sink, signal).catch((error: unknown) => {
        if (signal.aborted) return;
        for (const { points } of asked) for (const { index } of points) sink.fail(index, driverErrorOf(error));
      });
    }
  }

  async #writeOne({ point, value, mask }: PointWrite, signal: AbortSignal): Promise<DriverError | undefined> {
    const { address, property } = point;
    try {
      if (mask !== undefined) throw new DriverError('Unsupported', 'single bits of a field cannot be written');
      const { write, field, writeField = field } = address;
      if (write === undefined) throw new DriverError('Rejected', `${property} has no address.write`);
      await this.#askOnce(String(write), { ...(address['with'] as Values), [String(writeField)]: value }, signal);
      return undefined;
    } catch (error) {
      return driverErrorOf(error);
    }
  }

  /** Only what is read is asked for again: an answer that was lost does not say that the request was. */
  async #read(name: string, given: Values, signal: AbortSignal): Promise<Values> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#askOnce(name, given, signal);
      } catch (error) {
        if (attempt >= this.#parts.settings.retries || !isDriverError(error, 'TimedOut', 'Malformed')) throw error;
      }
    }
  }

  async #askOnce(name: string, given: Values, signal: AbortSignal): Promise<Values> {
    const { channel, frames, options } = this.#parts;
    const request = frames.requests.get(name);
    if (request === undefined) throw new DriverError('Misconfigured', `there is no request ${name}`);
    const { send, answer, refusal } = request;
    const sequence = sequenceOf(frames, this.#count++);
    const bytes = this.#encoded(send, given, sequence);
    if (answer === undefined) {
      channel.say(bytes);
      return {};
    }
    const answerIn = (frame: Uint8Array): Values | DriverError | undefined => {
      if (sequence !== undefined && sequenceIn(frames, frame) !== sequence) return undefined;
      const refused = refusal === undefined ? undefined : this.#decoded(refusal, frame);
      if (refused !== undefined)
        return new DriverError('Rejected', `the device refused ${name}${words(refusal, refused)}`);
      return this.#decoded(answer, frame);
    };
    const values = await channel.ask({ what: name, bytes: () => bytes, answerIn }, signal);
    for (const field of options.keep ?? []) {
      const value = Object.hasOwn(values, field) ? values[field] : undefined;
      if (value !== undefined) this.#values[field] = value;
    }
    return values;
  }

  /** Undefined also where another device on the line says it. */
  #decoded(message: Message, frame: Uint8Array): Values | undefined {
    const { frames, options } = this.#parts;
    const values = decodeFrame(frames, message, frame);
    const isOurs = (options.identity ?? []).every((field) => isSame(values?.[field], options.values?.[field]));
    return isOurs ? values : undefined;
  }

  #encoded(message: Message, given: Values, sequence: number | undefined): Uint8Array {
    try {
      return encodeFrame(this.#parts.frames, message, { ...this.#values, ...given }, sequence);
    } catch (cause) {
      if (!(cause instanceof FramesError)) throw cause;
      throw new DriverError('Rejected', cause.message, { cause });
    }
  }
}

function tell(index: number, value: RawValue | undefined, sink: SampleSink): void {
  if (value === undefined) sink.fail(index, new DriverError('Misconfigured', 'the answer has no such field'));
  else sink.value(index, value);
}

/** What the device says to its refusal. */
function words(refusal: Message | undefined, values: Values): string {
  const said = (refusal?.body ?? []).flatMap(({ name }) =>
    name === undefined ? [] : [`${name} ${String(values[name])}`],
  );
  return said.length === 0 ? '' : `: ${said.join(', ')}`;
}
