/** Results in the log of the node. */

import { messagesOf } from './format-row.ts';
import type { Sink, SinkContext } from './sink.ts';

/** Of one result, so much is written. */
const MAX_CHARACTERS = 4096;

export function logSink({ sink, rule, log }: SinkContext): Sink {
  let count = 0;
  return {
    take: (rows) => {
      count += rows.length;
      for (const message of messagesOf(sink, rows))
        log.info({ rule, result: message.slice(0, MAX_CHARACTERS) }, 'result of rule');
    },
    status: () => ({ rows: count }),
    dropped: () => 0,
    close: async () => {},
  };
}
