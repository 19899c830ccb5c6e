/** The edge's end of a blob: asks for it, and reads it no faster than it is kept. */
import type { LinkBlob, LinkStream } from '../contract.ts';
import { decodeBlobAnswer, encodeBlobAsk } from '../core/blob.ts';
import { errors } from '../errors.ts';
import { MAX_BLOB_REQUEST_BYTES } from '../limits.ts';

export async function askForBlob(
  open: (header: Uint8Array) => Promise<LinkStream>,
  request: Uint8Array,
  offset: number,
): Promise<LinkBlob> {
  if (request.length > MAX_BLOB_REQUEST_BYTES) {
    throw errors.HEADER_TOO_LARGE({ size: request.length, limit: MAX_BLOB_REQUEST_BYTES });
  }
  const stream = await open(encodeBlobAsk({ offset, request }));
  const messages = stream.incoming[Symbol.asyncIterator]();
  const first = await messages.next();
  if (first.done === true) throw errors.STREAM_ABORTED({ text: 'ended before it began' });
  const answer = decodeBlobAnswer(first.value);
  if (!answer.found) throw errors.BLOB_REFUSED({ text: answer.text });
  const { size } = answer;
  // The message may be a view of a buffer that is used again.
  return { size, info: answer.info.slice(), bytes: read(stream, messages, size - offset) };
}

async function* read(
  stream: LinkStream,
  messages: AsyncIterator<Uint8Array, undefined>,
  expected: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let received = 0;
  let isWhole = false;
  try {
    for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
      received += next.value.length;
      if (received > expected) throw errors.BLOB_SIZE({ sent: received, expected });
      yield next.value;
    }
    if (received < expected) throw errors.BLOB_SIZE({ sent: received, expected });
    isWhole = true;
  } finally {
    if (isWhole) stream.end();
    else stream.abort('nobody wants the rest');
  }
}
