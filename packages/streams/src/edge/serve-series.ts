/** What the node has recorded, for whoever asks the data worker. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { StatusError } from '@skerry/api';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import { MAX_QUESTION_BYTES, type NodeAnswer, type NodeQuestion } from '../telemetry/ask-node.ts';
import type { NodeStore } from './node-store.ts';

export interface SeriesServerOptions {
  readonly store: NodeStore;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Answers `POST /series`: a SeriesQuery as JSON; what goes wrong is in the answer too. */
export function serveSeries(options: SeriesServerOptions) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const ending = new AbortController();
    response.once('close', () => ending.abort());
    const answer = await answerOf(options, request, ending.signal);
    if (response.destroyed) return;
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  };
}

async function answerOf(
  { store, clock, log }: SeriesServerOptions,
  request: IncomingMessage,
  signal: AbortSignal,
): Promise<NodeAnswer> {
  try {
    const question = await questionIn(request);
    const opened = await store.existing();
    // Nothing was ever recorded here.
    if (opened === undefined) return { answer: { series: [] } };
    const { answerSeriesQuery } = await import('../telemetry/answer-query.ts');
    return { answer: await answerSeriesQuery(opened, { ...question, signal }, clock.now()) };
  } catch (error) {
    if (error instanceof StatusError) return { error: error.status };
    if (!signal.aborted) log.warn({ error: messageOf(error) }, 'a question about series was not answered');
    return { error: new StatusError(500, 'InternalError', messageOf(error)).status };
  }
}

async function questionIn(request: IncomingMessage): Promise<NodeQuestion> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request) {
    const bytes = chunk as Uint8Array;
    size += bytes.length;
    if (size > MAX_QUESTION_BYTES) throw new StatusError(413, 'RequestEntityTooLarge', 'the query is too long');
    chunks.push(bytes);
  }
  try {
    const { namespace, spec = {} } = JSON.parse(Buffer.concat(chunks).toString()) as Partial<NodeQuestion>;
    return { spec, ...(namespace === undefined ? {} : { namespace }) };
  } catch (cause) {
    throw new StatusError(400, 'BadRequest', 'the query is no JSON', undefined, { cause });
  }
}
