/** Protobuf bodies, as client-go sends them for every built-in kind. */
import { unsupportedMediaType } from './statuses.ts';

export function decodeProtobuf(_body: Uint8Array): unknown {
  throw unsupportedMediaType(['application/json']);
}
