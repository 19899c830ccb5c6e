/** Streams to pods, by way of the link: what the API server asks becomes the header of a link stream. */
import { type Status, StatusError } from '@skerry/api';
import { hasCode } from '@skerry/base';
import type { NodeDialer } from '@skerry/kube/streaming';
import type { Hub } from '@skerry/link/node';

export function linkDialer(hub: Pick<Hub, 'openStream'>): NodeDialer {
  return {
    open: async (node, request, signal) => {
      try {
        return await hub.openStream(node, Buffer.from(JSON.stringify(request)), signal);
      } catch (error) {
        throw toStatus(node, error);
      }
    },
  };
}

/** A node refuses with a Status in its text; everything else is the link's own trouble. */
function toStatus(node: string, error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  if (hasCode(error, 'LINK_STREAM_REFUSED')) return parseRefusal(String(error.facts['text'] ?? ''), error);
  if (hasCode(error, 'LINK_NOT_CONNECTED')) {
    return new StatusError(
      503,
      'ServiceUnavailable',
      `node "${node}" is not connected: its link is down; try again when it is back`,
    );
  }
  return new StatusError(503, 'ServiceUnavailable', `node "${node}" did not answer over its link`, undefined, {
    cause: error,
  });
}

function parseRefusal(text: string, cause: Error): StatusError {
  try {
    const { code = 500, reason = 'InternalError', message = '', details } = JSON.parse(text) as Status;
    return new StatusError(code, reason, message, details, { cause });
  } catch {
    return new StatusError(500, 'InternalError', text, undefined, { cause });
  }
}
