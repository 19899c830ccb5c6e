/** Many small blocks that wait become few large ones: these take less room, and fewer turns. */
import { type Logger, messageOf } from '@skerry/base';
import type { RoadQueue } from '../core/road-queue.ts';
import { decodeBlock, encodeBlock } from '../wire/block.ts';
import { joinBatches } from './collector.ts';
import type { RoadFile } from './road-file.ts';

/** The newest of a queue, when they are many and small. To be called after each block that is added while none leaves. */
export function mergeNewest(queue: RoadQueue, file: RoadFile, log: Logger): void {
  const merged = queue.mergeable();
  if (merged === undefined) return;
  try {
    const blocks = merged.map(({ number }) => decodeBlock(file.read(number)?.bytes ?? new Uint8Array()));
    file.merge(queue, merged, encodeBlock(joinBatches(blocks)));
  } catch (error) {
    // They stay as they are.
    log.warn({ queue: queue.name, error: messageOf(error) }, 'blocks are not put together');
  }
}
