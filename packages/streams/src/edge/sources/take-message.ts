/** A message of whatever source becomes rows. */
import { withMeta } from '../../engine/meta.ts';
import { type ReadRow, rowReader } from '../../engine/rule/read-row.ts';
import type { StreamSpec } from '../../kinds/stream.ts';
import type { Row } from '../../sql/index.ts';
import { decoder } from '../decode.ts';
import type { SourceTarget } from './source.ts';

export function messageTaker(spec: StreamSpec, target: SourceTarget): (text: string, meta?: Row) => void {
  const decode = decoder(spec);
  const read = rowReader(spec);
  return (text, meta) => {
    try {
      for (const message of decode(text)) takeOne(read, message, meta, target);
    } catch (error) {
      target.failed(error);
    }
  };
}

function takeOne(read: ReadRow, message: unknown, meta: Row | undefined, target: SourceTarget): void {
  try {
    const { row, time } = read(message);
    target.row(meta === undefined ? row : withMeta(row, meta), time);
  } catch (error) {
    target.failed(error);
  }
}
