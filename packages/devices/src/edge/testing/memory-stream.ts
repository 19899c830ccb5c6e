/** For tests: two ends of a stream of bytes in one process, so that a device in memory runs on a clock that stands still. */
import { DriverError } from '../driver-error.ts';
import type { ByteStream } from '../transport/byte-stream.ts';

export interface MemoryCable {
  readonly ends: readonly [ByteStream, ByteStream];
  /** Both ends hear of it. */
  cut(): void;
}

export function memoryCable(): MemoryCable {
  const closings = [Promise.withResolvers<DriverError | undefined>(), Promise.withResolvers<DriverError | undefined>()];
  const listeners: (((bytes: Uint8Array) => void) | undefined)[] = [];
  let isOpen = true;
  const endAll = (closer: number | undefined) => {
    isOpen = false;
    for (const [index, closing] of closings.entries())
      closing.resolve(index === closer ? undefined : new DriverError('Unreachable', 'the cable was cut'));
  };
  const endOf = (own: 0 | 1): ByteStream => ({
    closed: closings[own]?.promise ?? Promise.resolve(undefined),
    write: (bytes) => {
      const copy = bytes.slice();
      queueMicrotask(() => isOpen && listeners[1 - own]?.(copy));
    },
    onBytes: (listener) => {
      listeners[own] = listener;
    },
    close: () => endAll(own),
  });
  return { ends: [endOf(0), endOf(1)], cut: () => endAll(undefined) };
}
