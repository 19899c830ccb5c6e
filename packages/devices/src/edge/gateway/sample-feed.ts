/** Samples of the data worker, for as long as they are wanted: after an end it asks again, and says that there is nobody. */
import { type IncomingMessage, request as openRequest } from 'node:http';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { SampleLine, Share } from '../../telemetry/samples.ts';

export interface SampleFeedOptions {
  /** Of the worker. */
  readonly socketPath: string;
  readonly token: string;
  readonly namespace: string;
  readonly share: Share;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface SampleSink {
  line(line: SampleLine): void;
  /** Nothing comes until lines come again. */
  lost(): void;
}

const RETRY_MS = 1000;
/** A batch of texts may be long; what is longer is no line of ours. */
const MAX_LINE_LENGTH = 64 * 1024 * 1024;

/** Runs until the signal aborts. */
export async function followSamples(options: SampleFeedOptions, sink: SampleSink, signal: AbortSignal): Promise<void> {
  const { clock, log } = options;
  while (!signal.aborted) {
    try {
      for await (const line of linesOf(await open(options, signal))) sink.line(JSON.parse(line) as SampleLine);
    } catch (error) {
      if (!signal.aborted) log.debug({ error: messageOf(error) }, 'no samples from the data worker');
    }
    if (signal.aborted) return;
    sink.lost();
    await clock.sleep(RETRY_MS, signal).catch(() => {});
  }
}

function open(
  { socketPath, token, namespace, share }: SampleFeedOptions,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const query = { namespace, share: String(share.index), of: String(share.of) };
    const path = `/samples?${new URLSearchParams(query)}`;
    const headers = { authorization: `Bearer ${token}` };
    const asked = openRequest({ socketPath, path, headers, signal }, (response) => {
      if (response.statusCode === 200) return resolve(response);
      response.destroy();
      reject(new Error(`the data worker answered ${response.statusCode}`));
    });
    asked.once('error', reject);
    asked.end();
  });
}

async function* linesOf(response: IncomingMessage): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    rest += decoder.decode(chunk, { stream: true });
    if (rest.length > MAX_LINE_LENGTH) throw new Error('a line of the data worker is too long');
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
}
