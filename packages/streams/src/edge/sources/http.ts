/** Answers of HTTP that are asked for again and again. */
import { messageOf } from '@skerry/base';
import { millisecondsOf } from '../../engine/rule/prepare.ts';
import type { StreamSpec } from '../../kinds/stream.ts';
import { MAX_MESSAGE_BYTES } from '../decode.ts';
import { requestHttp } from '../http.ts';
import type { Source, SourceContext, SourceTarget } from './source.ts';
import { messageTaker } from './take-message.ts';

const DEFAULT_INTERVAL_MS = 10_000;
const LEAST_INTERVAL_MS = 10;
const DEFAULT_TIMEOUT_MS = 5000;

export function openHttp(spec: StreamSpec, target: SourceTarget, { clock, secret }: SourceContext): Source {
  const { url = '', method = 'GET', headers = {}, body, interval, timeout } = spec.source.http ?? {};
  const take = messageTaker(spec, target);
  const closing = new AbortController();
  const { signal } = closing;
  const question = {
    url,
    method,
    headers,
    secret,
    timeoutMs: millisecondsOf(timeout, DEFAULT_TIMEOUT_MS),
    maxBytes: MAX_MESSAGE_BYTES,
    signal,
    ...(body === undefined ? {} : { body }),
  };
  const askOnce = async () => {
    try {
      const answer = await requestHttp(question);
      if (signal.aborted) return;
      target.problem(undefined);
      take(answer);
    } catch (error) {
      if (!signal.aborted) target.problem(`no answer of ${url}: ${messageOf(error)}`);
    }
  };
  const intervalMs = Math.max(LEAST_INTERVAL_MS, millisecondsOf(interval, DEFAULT_INTERVAL_MS));
  const running = (async () => {
    while (!signal.aborted) {
      await askOnce();
      await clock.sleep(intervalMs, signal).catch(() => {});
    }
  })();
  return {
    close: async () => {
      closing.abort();
      await running;
    },
  };
}
