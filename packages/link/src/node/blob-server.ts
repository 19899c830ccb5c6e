/** The cloud's end of a blob: finds it, and sends what is wanted of it at the rates that are set. */
import { type Clock, messageOf } from '@skerry/base';
import type { BlobAsk, BlobDoor, BlobSource, LinkStream } from '../contract.ts';
import { decodeBlobAsk, encodeBlobAnswer } from '../core/blob.ts';
import { errors } from '../errors.ts';
import { BLOB_STALL_MS, MAX_BLOB_INFO_BYTES } from '../limits.ts';
import type { Rate } from './rate.ts';

export interface BlobService {
  readonly node: string;
  readonly door: BlobDoor | undefined;
  /** All of them must let a piece pass. */
  readonly rates: readonly Rate[];
  /** How large a piece should be at this moment. */
  readonly pieceBytes: () => number;
  readonly clock: Clock;
}

const NOTHING = new Uint8Array(0);

export async function serveBlob(
  service: BlobService,
  header: Uint8Array,
  stream: LinkStream,
  signal: AbortSignal,
): Promise<void> {
  // To find it may take longer than a stream may stay unanswered.
  stream.accept?.();
  const ask = decodeBlobAsk(header);
  const source = await find(service, ask, signal);
  if (typeof source === 'string') {
    await stream.send(encodeBlobAnswer({ found: false, text: source }));
    return;
  }
  const { size, info = NOTHING, bytes } = source;
  using watch = watchOver(stream, service.clock);
  await stream.send(encodeBlobAnswer({ found: true, size, info }));
  const sent = await send({ ...service, taken: watch.taken }, bytes, stream, signal);
  if (sent !== size - ask.offset) throw errors.BLOB_SIZE({ sent, expected: size - ask.offset });
  stream.end();
  // The asker ends its side once it has kept the last byte; until then what is on its way counts.
  await stream.closed;
}

/** The source, or why there is none. */
async function find({ door, node }: BlobService, ask: BlobAsk, signal: AbortSignal): Promise<BlobSource | string> {
  if (door === undefined) return 'there are no blobs here';
  try {
    const source = await door(ask, node, signal);
    if (ask.offset > source.size) return `offset ${ask.offset} is beyond the ${source.size} bytes of the blob`;
    if ((source.info?.length ?? 0) > MAX_BLOB_INFO_BYTES) return 'too much is to be said about the blob';
    return source;
  } catch (error) {
    return messageOf(error);
  }
}

/** Ends a stream that nothing moves on: its asker takes nothing, or its source gives nothing. */
function watchOver(stream: LinkStream, clock: Clock): Disposable & { readonly taken: () => void } {
  let isMoving = true;
  const arm = () => clock.after(BLOB_STALL_MS, look, { unref: true });
  const look = () => {
    if (!isMoving) stream.abort('the blob stands still');
    isMoving = false;
    timer = arm();
  };
  let timer = arm();
  return {
    taken: () => {
      isMoving = true;
    },
    [Symbol.dispose]: () => timer.cancel(),
  };
}

async function send(
  { rates, pieceBytes, taken }: BlobService & { readonly taken: () => void },
  chunks: AsyncIterable<Uint8Array>,
  stream: LinkStream,
  signal: AbortSignal,
): Promise<number> {
  let sent = 0;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; ) {
      const piece = chunk.subarray(at, at + pieceBytes());
      for (const rate of rates) await rate.take(piece.length, signal);
      await stream.send(piece);
      taken();
      at += piece.length;
    }
    sent += chunk.length;
  }
  return sent;
}
