/** Requests that only the cloud can answer, carried over a stream: their header, their bodies both ways, and whom they come from. */
import { StatusError, type UserInfo } from '@skerry/api';
import { messageOf } from '@skerry/base';
import type { ApiRequest, ApiResponse } from '../server/contract.ts';
import { MAX_STREAM_MESSAGE_BYTES, type MessageStream } from '../streaming/contract.ts';

/** The first bytes of a forwarded request's stream. */
interface ForwardHeader {
  readonly kind: 'api';
  readonly method: ApiRequest['method'];
  readonly path: string;
  readonly query: string;
  readonly contentType?: string;
  readonly accept?: string;
  readonly userAgent?: string;
  /** Who asks at the edge. The cloud believes it only of accounts whose pods are on that node. */
  readonly user: string;
}

/** The first message of the answer. */
interface AnswerHead {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

export const MAX_FORWARDED_BODY_BYTES = 3 * 1024 * 1024;
const MAX_FORWARDED_ANSWER_BYTES = 16 * 1024 * 1024;

export type OpenStream = (header: Uint8Array, signal: AbortSignal) => Promise<MessageStream>;

/** At the edge: asks the cloud. Rejects with whatever `open` rejects with when there is no link. */
export async function forwardRequest(open: OpenStream, request: ApiRequest): Promise<ApiResponse> {
  const { method, path, query, headers, user, body = new Uint8Array(0) } = request;
  const header: ForwardHeader = {
    kind: 'api',
    method,
    path,
    query: query.toString(),
    user: user.username,
    ...(headers['content-type'] === undefined ? {} : { contentType: headers['content-type'] }),
    ...(headers['accept'] === undefined ? {} : { accept: headers['accept'] }),
    ...(headers['user-agent'] === undefined ? {} : { userAgent: headers['user-agent'] }),
  };
  const stream = await open(Buffer.from(JSON.stringify(header)), request.signal);
  await sendPieces(stream, body);
  stream.end();
  const [head, ...rest] = await collect(stream, MAX_FORWARDED_ANSWER_BYTES);
  const { status, headers: answered } = JSON.parse(Buffer.from(head ?? '{}').toString()) as AnswerHead;
  return { status, headers: answered, body: Buffer.concat(rest) };
}

export interface ForwardedOptions {
  readonly handle: (request: ApiRequest) => Promise<ApiResponse>;
  /** Whether an account of this name may be spoken for by the node: its pods are there. */
  readonly isOnNode: (node: string, namespace: string, serviceAccount: string) => boolean;
}

/** In the cloud: answers a node's stream as the account it speaks for, or else as the node itself. */
export async function answerForwarded(
  options: ForwardedOptions,
  node: string,
  header: Uint8Array,
  stream: MessageStream,
  signal: AbortSignal,
): Promise<void> {
  const asked = parseHeader(header);
  const user = userFor(options, node, asked.user);
  stream.accept?.();
  const body = Buffer.concat(await collect(stream, MAX_FORWARDED_BODY_BYTES));
  const response = await options.handle({
    method: asked.method,
    path: asked.path,
    query: new URLSearchParams(asked.query),
    headers: {
      accept: asked.accept ?? 'application/json',
      'content-type': asked.contentType,
      'user-agent': asked.userAgent ?? 'skerry-edge',
    },
    user,
    signal,
    ...(body.length === 0 ? {} : { body }),
  });
  const head: AnswerHead = { status: response.status, headers: response.headers };
  await stream.send(Buffer.from(JSON.stringify(head)));
  if (typeof response.body === 'string' || response.body instanceof Uint8Array)
    await sendPieces(stream, Buffer.from(response.body));
  else if (response.body !== undefined)
    for await (const chunk of response.body) await sendPieces(stream, Buffer.from(chunk));
}

function parseHeader(bytes: Uint8Array): ForwardHeader {
  try {
    const header = JSON.parse(Buffer.from(bytes).toString()) as ForwardHeader;
    if (header.kind === 'api' && typeof header.path === 'string' && typeof header.user === 'string') return header;
  } catch (cause) {
    throw new StatusError(400, 'BadRequest', `the forwarded request cannot be read: ${messageOf(cause)}`);
  }
  throw new StatusError(400, 'BadRequest', 'the cloud does not know such a stream');
}

const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;

/**
 * Invariant: a node gains nothing by forwarding that its own pods' accounts could not ask for themselves, and an account whose
 * pods have left the node is not lent the node's own identity.
 */
function userFor({ isOnNode }: ForwardedOptions, node: string, username: string): UserInfo {
  const [, namespace = '', name = ''] = SERVICE_ACCOUNT.exec(username) ?? [];
  if (name !== '') {
    if (!isOnNode(node, namespace, name)) {
      throw new StatusError(
        403,
        'Forbidden',
        `node "${node}" may not speak for the service account "${namespace}/${name}"`,
      );
    }
    return {
      username,
      groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
    };
  }
  return { username: `system:node:${node}`, groups: ['system:nodes', 'system:authenticated'] };
}

async function sendPieces(stream: MessageStream, bytes: Uint8Array): Promise<void> {
  for (let offset = 0; offset < bytes.length; offset += MAX_STREAM_MESSAGE_BYTES) {
    await stream.send(bytes.subarray(offset, offset + MAX_STREAM_MESSAGE_BYTES));
  }
}

async function collect({ incoming }: MessageStream, limit: number): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of incoming) {
    size += chunk.length;
    if (size > limit) throw new StatusError(413, 'RequestEntityTooLarge', `a forwarded body exceeds ${limit} bytes`);
    // The message may be a view of a buffer that is used again.
    chunks.push(chunk.slice());
  }
  return chunks;
}
