/** Asks the node that drives a device: what its data worker answers to one POST. */
import { StatusError, type StatusReason } from '@skerry/api';
import type { Client } from '@skerry/kube/client';
import type { DriverErrorKind } from '../edge/driver-error.ts';
import type { Device } from '../resources/device.ts';
import { DEVICES } from '../resources/group.ts';

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

export interface AskOptions {
  /** Of the API that shows which devices there are. */
  readonly client: Client;
  readonly dialer: NodePostDialer;
}

export interface Question {
  readonly namespace: string;
  readonly device: string;
  /** Of the worker. */
  readonly path: string;
  readonly body: object;
  readonly signal: AbortSignal;
  /** What is asked, in words: `dose of device "tank-1"`. */
  readonly what: string;
  /** Said of a node that does not answer. */
  readonly unanswered: string;
  readonly maxAnswerBytes: number;
}

/** Rejects with a StatusError. */
export async function askDevice<T extends object>(
  { client, dialer }: AskOptions,
  { namespace, device, path, body, signal, ...question }: Question,
): Promise<{ readonly node: string; readonly answer: Partial<T> }> {
  const { status } = await client.get<Device>({ gvr: DEVICES, namespace, name: device }, { signal });
  const node = status?.nodes?.[0];
  if (node === undefined) throw unavailable(`device "${device}" is placed on no node`);
  const answer = await post(await dialer.open(node, { kind: 'post', path }, signal), body, question);
  if (answer.error !== undefined) throw statusOf(question.what, answer.error);
  return { node, answer: answer as Partial<T> };
}

interface Answer {
  readonly error?: { readonly kind: DriverErrorKind; readonly message: string };
}

/** The link takes messages of this size. */
const MAX_MESSAGE_BYTES = 32 * 1024;

async function post(
  stream: PostStream,
  asked: object,
  { unanswered, maxAnswerBytes }: Pick<Question, 'unanswered' | 'maxAnswerBytes'>,
): Promise<Answer> {
  try {
    const body = Buffer.from(JSON.stringify(asked));
    for (let at = 0; at < body.length; at += MAX_MESSAGE_BYTES)
      await stream.send(body.subarray(at, at + MAX_MESSAGE_BYTES));
    stream.end();
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of stream.incoming) {
      size += chunk.length;
      if (size > maxAnswerBytes) throw unavailable('the device said more than is taken');
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString()) as Answer;
  } catch (cause) {
    if (cause instanceof StatusError) throw cause;
    throw new StatusError(503, 'ServiceUnavailable', unanswered, undefined, { cause });
  } finally {
    stream.abort('answered');
  }
}

const STATUSES: Readonly<Record<DriverErrorKind, readonly [number, StatusReason]>> = {
  Unreachable: [503, 'ServiceUnavailable'],
  TimedOut: [504, 'Timeout'],
  AccessDenied: [403, 'Forbidden'],
  NotFound: [404, 'NotFound'],
  Rejected: [422, 'Invalid'],
  Malformed: [500, 'InternalError'],
  Unsupported: [400, 'BadRequest'],
  Busy: [429, 'TooManyRequests'],
  Misconfigured: [400, 'BadRequest'],
  Closed: [503, 'ServiceUnavailable'],
};

function statusOf(what: string, { kind, message }: NonNullable<Answer['error']>): StatusError {
  const [code, reason] = STATUSES[kind] ?? STATUSES.Malformed;
  return new StatusError(code, reason, `${what}: ${message}`);
}

function unavailable(message: string): StatusError {
  return new StatusError(503, 'ServiceUnavailable', message);
}
