/** Questions about series to a node: the road there is the API server’s, the answer its data worker’s. */
import { type Status, StatusError } from '@skerry/api';
import type { AnswerSeries, AskedSeries, SeriesQueryStatus } from './series-query.ts';

/** Opens a POST to what a node serves itself, as the API server's NodeDialer does. Rejects with a StatusError. */
export interface NodePostDialer {
  open(
    node: string,
    request: { readonly kind: 'post'; readonly path: string },
    signal: AbortSignal,
  ): Promise<PostStream>;
}

interface PostStream {
  readonly incoming: AsyncIterable<Uint8Array>;
  send(message: Uint8Array): Promise<void>;
  end(): void;
  abort(reason: string): void;
}

/** What goes to a node; a node answers no other than what it was asked. */
export type NodeQuestion = Pick<AskedSeries, 'namespace' | 'spec'>;

/** What comes back, as JSON. */
export interface NodeAnswer {
  readonly answer?: SeriesQueryStatus;
  readonly error?: Status;
}

export const SERIES_PATH = '/series';

/** A query has this size at most. */
export const MAX_QUESTION_BYTES = 64 * 1024;
/** The link takes messages of this size. */
const MAX_MESSAGE_BYTES = 32 * 1024;
/** A node may say so much. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024;

export function askNode(dialer: NodePostDialer, node: string): AnswerSeries {
  return async ({ namespace, spec, signal }) => {
    const { node: _node, ...rest } = spec;
    const question: NodeQuestion = { spec: rest, ...(namespace === undefined ? {} : { namespace }) };
    const stream = await dialer.open(node, { kind: 'post', path: SERIES_PATH }, signal);
    const { answer, error } = await post(stream, question);
    if (error !== undefined) throw statusOf(node, error);
    // A node speaks for no other namespace than the one that was asked.
    const isAsked = ({ labels }: SeriesQueryStatus['series'][number]) =>
      namespace === undefined || (labels['namespace'] ?? namespace) === namespace;
    return { node, series: (answer?.series ?? []).filter(isAsked) };
  };
}

async function post(stream: PostStream, question: NodeQuestion): Promise<NodeAnswer> {
  const body = Buffer.from(JSON.stringify(question));
  if (body.length > MAX_QUESTION_BYTES) {
    stream.abort('too long');
    throw new StatusError(413, 'RequestEntityTooLarge', `a query has at most ${MAX_QUESTION_BYTES} bytes`);
  }
  try {
    for (let at = 0; at < body.length; at += MAX_MESSAGE_BYTES)
      await stream.send(body.subarray(at, at + MAX_MESSAGE_BYTES));
    stream.end();
    return JSON.parse(await textOf(stream.incoming)) as NodeAnswer;
  } catch (cause) {
    if (cause instanceof StatusError) throw cause;
    throw new StatusError(503, 'ServiceUnavailable', 'the node did not answer', undefined, { cause });
  } finally {
    stream.abort('answered');
  }
}

async function textOf(incoming: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of incoming) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new StatusError(503, 'ServiceUnavailable', 'the node said more than is taken');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function statusOf(node: string, { code = 500, reason = 'InternalError', message = '' }: Status): StatusError {
  return new StatusError(code, reason, `node "${node}": ${message}`);
}
