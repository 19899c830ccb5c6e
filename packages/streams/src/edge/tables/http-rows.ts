/** Rows behind a URL: JSON, one object or a list of them. */
import { millisecondsOf } from '../../engine/rule/prepare.ts';
import type { TableSource } from '../../kinds/table.ts';
import type { Row } from '../../sql/index.ts';
import { decoder } from '../decode.ts';
import { requestHttp } from '../http.ts';
import type { RowSource, TableContext } from './open-table.ts';

const DEFAULT_TIMEOUT_MS = 5000;
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

export function httpRows(
  { url, headers = {}, timeout }: NonNullable<TableSource['http']>,
  asRow: (message: unknown) => Row,
  { secret }: TableContext,
): RowSource {
  const closing = new AbortController();
  const decode = decoder({});
  const timeoutMs = millisecondsOf(timeout, DEFAULT_TIMEOUT_MS);
  return {
    find: async (keys) => {
      const filled = url.replaceAll(/\{([^{}]+)\}/g, (_, name: string) => encodeURIComponent(String(keys[name] ?? '')));
      const answer = await requestHttp({
        url: filled,
        method: 'GET',
        headers,
        secret,
        timeoutMs,
        maxBytes: MAX_ANSWER_BYTES,
        signal: closing.signal,
      });
      const rows = decode(answer).map(asRow);
      // Who answers with more than was asked for is not asked to be exact.
      return rows.filter((row) =>
        Object.entries(keys).every(([name, key]) => row[name] === undefined || String(row[name]) === String(key)),
      );
    },
    close: async () => closing.abort(),
  };
}
