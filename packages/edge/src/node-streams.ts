/** Streams to this node's pods: opened by the cloud over the link, or by the node's own API in memory. */
import { type Status, StatusError } from '@skerry/api';
import { messageOf } from '@skerry/base';
import { type NodeDialer, type NodeStreamHandler, type NodeStreamRequest, streamPair } from '@skerry/kube/streaming';
import type { StreamHandler } from '@skerry/link/contract';

/** A header is a small JSON object; what it names is checked by the handler. */
const KINDS: ReadonlySet<string> = new Set<NodeStreamRequest['kind']>([
  'log',
  'exec',
  'attach',
  'portforward',
  'get',
  'post',
]);

/** Answers the cloud's streams. A refusal travels as a Status, so that kubectl shows the node's own words. */
export function linkStreamHandler(handler: NodeStreamHandler): StreamHandler {
  return async (header, stream, signal) => {
    try {
      await handler(parseHeader(header), stream, signal);
    } catch (error) {
      throw new Error(JSON.stringify(statusOf(error)), { cause: error });
    }
  };
}

function parseHeader(header: Uint8Array): NodeStreamRequest {
  const value: unknown = JSON.parse(Buffer.from(header).toString());
  const kind = typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined;
  if (typeof kind !== 'string' || !KINDS.has(kind))
    throw new StatusError(400, 'BadRequest', 'this node does not know such a stream');
  return value as NodeStreamRequest;
}

function statusOf(error: unknown): Status {
  return error instanceof StatusError ? error.status : new StatusError(500, 'InternalError', messageOf(error)).status;
}

/** For the node's own API: the same handler, without a link between. */
export function localDialer(node: string, handler: NodeStreamHandler): NodeDialer {
  return {
    open: async (wanted, request, signal) => {
      if (wanted !== node)
        throw new StatusError(
          503,
          'ServiceUnavailable',
          `this is the API of node "${node}"; "${wanted}" is reached through the cloud`,
        );
      const { opener, answerer, accepted } = streamPair();
      const answered = handler(request, answerer, signal);
      answered.then(
        () => answerer.end(),
        (error: unknown) => answerer.abort(messageOf(error)),
      );
      // A handler that refuses does so before it takes the stream.
      await Promise.race([accepted, answered]);
      return opener;
    },
  };
}
