/** What is said on the stream of a blob before its bytes. */
import type { BlobAsk } from '../contract.ts';
import { errors } from '../errors.ts';
import { MAX_ABORT_TEXT_BYTES, MAX_BLOB_INFO_BYTES } from '../limits.ts';
import { ByteReader, ByteWriter, cutText, decodeText } from './bytes.ts';

/** The first message of the answer. */
export type BlobAnswer =
  | { readonly found: true; readonly size: number; readonly info: Uint8Array }
  | { readonly found: false; readonly text: string };

const FOUND = 1;
const REFUSED = 0;

/** The header of the stream. */
export function encodeBlobAsk({ offset, request }: BlobAsk): Uint8Array {
  return new ByteWriter(request.length + 8).varint(offset).raw(request).finish();
}

export function decodeBlobAsk(header: Uint8Array): BlobAsk {
  const reader = new ByteReader(header);
  return { offset: reader.varint(), request: reader.rest() };
}

export function encodeBlobAnswer(answer: BlobAnswer): Uint8Array {
  const message = new ByteWriter(64);
  if (answer.found) return message.byte(FOUND).varint(answer.size).raw(answer.info).finish();
  return message.byte(REFUSED).raw(cutText(answer.text, MAX_ABORT_TEXT_BYTES)).finish();
}

export function decodeBlobAnswer(message: Uint8Array): BlobAnswer {
  const reader = new ByteReader(message);
  if (reader.byte() !== FOUND) return { found: false, text: decodeText(reader.rest()) };
  const size = reader.varint();
  if (reader.left > MAX_BLOB_INFO_BYTES) throw errors.PROTOCOL({ detail: `${reader.left} bytes about a blob` });
  return { found: true, size, info: reader.rest() };
}
