/** The driver of devices that speak in lines. */
import { parseDuration } from '@skerry/api/durations';
import type { Clock } from '@skerry/base';
import type {
  DeviceSettings,
  Driver,
  DriverContext,
  Point,
  PointWrite,
  ReadGroup,
  SampleSink,
  Session,
} from '../../driver.ts';
import { DriverError, driverErrorOf, isDriverError } from '../../driver-error.ts';
import { Channel } from '../../transport/channel.ts';
import { Lines } from '../../transport/line.ts';
import { endpointOf, type OpenStream, openStream } from '../../transport/open-stream.ts';
import { LineReader } from './line-reader.ts';
import { type LineValue, lineValue, lineWrite } from './line-value.ts';

export interface TextLinesOptions {
  readonly clock: Clock;
  readonly openStream?: OpenStream;
}

export function createTextLines({ clock, openStream: open = openStream }: TextLinesOptions): Driver {
  const lines = new Lines(clock, open);
  return {
    protocol: 'text-lines',
    connect: async (settings: DeviceSettings, { signal }: DriverContext) => {
      const { endpoint, options, timeoutMs } = settings;
      const reader = new LineReader({
        delimiter: String(options['delimiter'] ?? '\n'),
        charset: options['charset'] === 'latin1' ? 'latin1' : 'utf-8',
        maxLineBytes: Number(options['maxLineBytes'] ?? 4096),
        hasEcho: options['hasEcho'] === true,
      });
      const share = await lines.acquire({
        endpoint: endpointOf(endpoint),
        serial: options['serial'],
        pauseMs: parseDuration(String(options['pause'] ?? '')) ?? 0,
        timeoutMs,
        signal,
      });
      const channel = new Channel({ share, reader, clock, timeoutMs });
      if (typeof options['greeting'] === 'string') channel.say(reader.line(options['greeting']));
      return new TextSession({ channel, reader, settings, clock });
    },
    close: () => {
      lines.close();
      return Promise.resolve();
    },
  };
}

interface SessionParts {
  readonly channel: Channel<string>;
  readonly reader: LineReader;
  readonly settings: DeviceSettings;
  readonly clock: Clock;
}

/** A line with the time at which it came. */
interface Seen {
  readonly value: string;
  readonly time: number;
}

class TextSession implements Session {
  readonly ended: Promise<DriverError | undefined>;
  readonly #channel: Channel<string>;
  readonly #reader: LineReader;
  readonly #settings: DeviceSettings;
  readonly #clock: Clock;
  readonly #separator: string;

  constructor({ channel, reader, settings, clock }: SessionParts) {
    this.#channel = channel;
    this.#reader = reader;
    this.#settings = settings;
    this.#clock = clock;
    this.#separator = String(settings.options['separator'] ?? ',');
    this.ended = channel.ended;
  }

  group(points: readonly Point[]): ReadGroup {
    const { asked, sent, bad } = this.#sort(points);
    // What the device sends by itself is remembered for whoever asks.
    const latest = new Map<number, Seen>();
    this.#channel.listeners.add({
      lost: () => {},
      message: (line) => {
        for (const [index, { valueIn }] of sent) {
          const value = valueIn(line);
          if (value !== undefined) latest.set(index, { value, time: this.#clock.now() });
        }
      },
    });
    return {
      read: async (sink, signal) => {
        for (const [index, error] of bad) sink.fail(index, error);
        for (const [index] of sent) {
          const seen = latest.get(index);
          if (seen === undefined) sink.fail(index, new DriverError('TimedOut', 'the device has not sent it yet'));
          else sink.value(index, seen.value, seen.time);
        }
        await this.#askAll(asked, sink, signal);
      },
    };
  }

  async subscribe(points: readonly Point[], sink: SampleSink, signal: AbortSignal): Promise<void> {
    const { asked, sent, bad } = this.#sort(points);
    for (const [index, error] of bad) sink.fail(index, error);
    const listener = {
      lost: (count: number) => sink.lost?.(count),
      message: (line: string) => {
        for (const [index, { valueIn }] of sent) {
          const value = valueIn(line);
          if (value !== undefined) sink.value(index, value, this.#clock.now());
        }
      },
    };
    this.#channel.listeners.add(listener);
    signal.addEventListener('abort', () => this.#channel.listeners.delete(listener), { once: true });
    if (asked.size === 0) return;
    await this.#askAll(asked, sink, signal);
    void this.#goOnAsking(asked, sink, signal);
  }

  /** One after another: what is written first is in the device first. */
  async write(writes: readonly PointWrite[], signal: AbortSignal): Promise<readonly (DriverError | undefined)[]> {
    const outcomes: (DriverError | undefined)[] = [];
    for (const write of writes) outcomes.push(await this.#writeOne(write, signal));
    return outcomes;
  }

  close(): Promise<void> {
    this.#channel.close();
    return Promise.resolve();
  }

  #sort(points: readonly Point[]): Sorted {
    const sorted: Sorted = { asked: new Map(), sent: new Map(), bad: new Map() };
    for (const [index, point] of points.entries()) {
      try {
        const value = lineValue(point, this.#separator);
        if (value.request === undefined) sorted.sent.set(index, value);
        else sorted.asked.set(value.request, [...(sorted.asked.get(value.request) ?? []), [index, value]]);
      } catch (error) {
        sorted.bad.set(index, driverErrorOf(error));
      }
    }
    return sorted;
  }

  /** Rejects when the device answers nothing at all, and asks no further once it is silent. */
  async #askAll(asked: Sorted['asked'], sink: SampleSink, signal: AbortSignal): Promise<void> {
    let hasAnswer = false;
    let lost: DriverError | undefined;
    for (const [request, values] of asked) {
      if (lost === undefined) {
        try {
          tell(values, await this.#ask(request, signal), sink);
          hasAnswer = true;
          continue;
        } catch (error) {
          lost = driverErrorOf(error);
          if (!hasAnswer) throw lost;
        }
      }
      for (const [index] of values) sink.fail(index, lost);
    }
  }

  async #ask(request: string, signal: AbortSignal): Promise<string> {
    for (let attempt = 0; ; attempt++) {
      try {
        return await this.#askOnce(request, () => true, signal);
      } catch (error) {
        if (attempt >= this.#settings.retries || !isDriverError(error, 'TimedOut', 'Malformed')) throw error;
      }
    }
  }

  #askOnce(text: string, isAnswer: (line: string) => boolean, signal: AbortSignal): Promise<string> {
    const question = {
      what: `"${text}"`,
      bytes: () => this.#reader.question(text),
      answerIn: (line: string) => (isAnswer(line) ? line : undefined),
    };
    return this.#channel.ask(question, signal);
  }

  async #goOnAsking(asked: Sorted['asked'], sink: SampleSink, signal: AbortSignal): Promise<void> {
    const intervalMs = parseDuration(String(this.#settings.options['interval'] ?? '1s')) ?? 1000;
    let isOver = false;
    void this.ended.then(() => (isOver = true));
    while (!signal.aborted && !isOver) {
      await this.#clock.sleep(Math.max(1, intervalMs), signal).catch(() => {});
      if (signal.aborted) return;
      try {
        await this.#askAll(asked, sink, signal);
      } catch (error) {
        if (signal.aborted) return;
        for (const values of asked.values()) for (const [index] of values) sink.fail(index, driverErrorOf(error));
      }
    }
  }

  async #writeOne({ point, value, mask }: PointWrite, signal: AbortSignal): Promise<DriverError | undefined> {
    try {
      if (mask !== undefined) throw new DriverError('Unsupported', 'lines of text have no single bits');
      const { text, isAcknowledgement } = lineWrite(point, value);
      if (isAcknowledgement === undefined) this.#channel.say(this.#reader.line(text));
      else await this.#askOnce(text, isAcknowledgement, signal);
      return undefined;
    } catch (error) {
      return driverErrorOf(error);
    }
  }
}

interface Sorted {
  /** By what is asked: one answer may have several of them. */
  readonly asked: Map<string, readonly (readonly [number, LineValue])[]>;
  readonly sent: Map<number, LineValue>;
  readonly bad: Map<number, DriverError>;
}

/** So much of an answer stands in an error. */
const SHOWN_CHARACTERS = 80;

function tell(values: readonly (readonly [number, LineValue])[], line: string, sink: SampleSink): void {
  for (const [index, { valueIn }] of values) {
    const value = valueIn(line);
    if (value === undefined)
      sink.fail(index, new DriverError('Rejected', `the device answered "${line.slice(0, SHOWN_CHARACTERS)}"`));
    else sink.value(index, value);
  }
}
