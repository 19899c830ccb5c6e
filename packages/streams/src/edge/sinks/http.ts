/** Results as requests. */
import { millisecondsOf } from '../../engine/rule/prepare.ts';
import { HttpRefusal, requestHttp } from '../http.ts';
import { fillIn, messagesOf } from './format-row.ts';
import { queuedSink } from './queue.ts';
import type { Sink, SinkContext } from './sink.ts';

const DEFAULT_TIMEOUT_MS = 5000;
/** Of the answer, which nobody reads. */
const MAX_ANSWER_BYTES = 1024 * 1024;

export function httpSink(context: SinkContext): Sink {
  const { sink, secret } = context;
  const { url = '', method = 'POST', headers = {}, timeout } = sink.http ?? {};
  const timeoutMs = millisecondsOf(timeout, DEFAULT_TIMEOUT_MS);
  return queuedSink(context, {
    isOneByOne: sink.together !== true,
    send: async (rows, signal) => {
      for (const body of messagesOf(sink, rows)) {
        await requestHttp({
          url: fillIn(url, rows[0] ?? {}),
          method,
          headers: { 'content-type': 'application/json', ...headers },
          body,
          secret,
          timeoutMs,
          maxBytes: MAX_ANSWER_BYTES,
          signal,
        });
      }
    },
    isFinal: (error) => error instanceof HttpRefusal && error.isFinal,
  });
}
