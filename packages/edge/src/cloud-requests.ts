/** What this node asks of the cloud over the link: writes that are not its own, tokens, and the keys that tokens are checked with. */
import { type Status, StatusError } from '@skerry/api';
import { hasCode } from '@skerry/base';
import { forwardRequest } from '@skerry/kube/replica';
import type { ApiRequest, ApiResponse } from '@skerry/kube/server';
import type { EdgeLink } from '@skerry/link/node';

export type AskCloud = (request: ApiRequest) => Promise<ApiResponse>;

/** Rejects with 503 and the reason while there is no link. */
export function askOver(link: () => Pick<EdgeLink, 'openStream' | 'status'> | undefined): AskCloud {
  return async (request) => {
    const current = link();
    if (current?.status().connected !== true) throw cutOff();
    try {
      return await forwardRequest((header, signal) => current.openStream(header, signal), request);
    } catch (error) {
      throw toStatus(error);
    }
  };
}

function cutOff(cause?: unknown): StatusError {
  const message =
    'only the cloud can do this, and this node is cut off from it; it can be done again when the link is back';
  // No Retry-After: kubectl would wait through ten of them before it shows a person the reason.
  return new StatusError(503, 'ServiceUnavailable', message, undefined, { cause });
}

function toStatus(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  if (!hasCode(error, 'LINK_STREAM_REFUSED')) return cutOff(error);
  try {
    const {
      code = 500,
      reason = 'InternalError',
      message = '',
      details,
    } = JSON.parse(String(error.facts['text'])) as Status;
    return new StatusError(code, reason, message, details, { cause: error });
  } catch {
    return cutOff(error);
  }
}
