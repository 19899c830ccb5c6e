/** What can go wrong on the link. Each code has a heading in docs/reference/errors.md. */
import { defineErrors } from '@skerry/base';

export const errors = defineErrors('LINK', {
  PROTOCOL: { text: 'link peer broke the protocol: {detail}', retry: 'backoff' },
  CHANGE_TOO_LARGE: { text: 'state change {key} of {size} bytes exceeds {limit}', retry: 'never' },
  MESSAGE_TOO_LARGE: { text: 'stream message of {size} bytes exceeds {limit}', retry: 'never' },
  HEADER_TOO_LARGE: { text: 'stream header of {size} bytes exceeds {limit}', retry: 'never' },
  NOT_CONNECTED: { text: 'node {node} is not connected', retry: 'backoff' },
  PEER_GONE: { text: 'link session of node {node} ended: {reason}', retry: 'backoff' },
  TOO_MANY_STREAMS: { text: 'node {node} has {limit} streams open', retry: 'backoff' },
  STREAM_REFUSED: { text: 'stream refused: {text}', retry: 'never' },
  STREAM_ABORTED: { text: 'stream aborted by the other side: {text}', retry: 'backoff' },
  STREAM_CLOSED: { text: 'stream is closed', retry: 'never' },
  BLOB_REFUSED: { text: 'blob refused: {text}', retry: 'never' },
  BLOB_SIZE: { text: 'blob of {expected} bytes has {sent}', retry: 'backoff' },
  STATE_OVERRUN: { text: 'feed of node {node} sent without waiting for room', retry: 'never' },
  OPEN_TIMEOUT: { text: 'stream to node {node} was not answered within {limit} ms', retry: 'backoff' },
});
