import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { silentLogger } from '@skerry/base';
import { fakeClock } from '@skerry/testkit';
import { parquetReadObjects } from 'hyparquet';
import { snappyCompress } from 'hyparquet-writer/src/snappy.js';
import { encodeWriteRequest } from '../../outlets/prometheus.ts';
import { rowsOf } from '../../outlets/testing/rows.ts';
import { Tally } from '../../outlets/values.ts';
import { openSeriesStore } from '../../store/index.ts';
import type { QueryAnswer, QueryRequest } from './answer.ts';
import { queryEndpoints } from './index.ts';

type Sent = Partial<Omit<QueryRequest, 'query'>> & { readonly query?: Readonly<Record<string, string>> };
interface Answered extends Omit<QueryAnswer, 'body'> {
  readonly body?: string;
  readonly file?: Uint8Array;
}
interface Ask {
  (path: string, sent?: Sent): Promise<Answered>;
  /** As it comes. */
  readonly raw: (path: string, sent?: Sent) => Promise<QueryAnswer>;
}

/** The endpoints on a store of their own, at noon. */
async function check(story: (ask: Ask, now: number) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-query-'));
  const clock = fakeClock({ start: Date.UTC(2026, 0, 1, 12) });
  const store = await openSeriesStore({ directory, clock, log: silentLogger });
  const sql = { program: join(import.meta.dirname, '../sql/bin.ts'), execArgv: ['--conditions=source'] };
  const answer = queryEndpoints({ store, clock, sql });
  const raw: Ask['raw'] = async (path, { query = {}, ...sent } = {}) => {
    const { signal } = new AbortController();
    return await answer({ method: 'GET', path, headers: {}, signal, ...sent, query: new URLSearchParams(query) });
  };
  const whole = async (path: string, sent?: Sent): Promise<Answered> => {
    const { body, ...rest } = await raw(path, sent);
    if (body === undefined || typeof body === 'string') return { ...rest, ...(body === undefined ? {} : { body }) };
    const pieces: Uint8Array[] = [];
    for await (const piece of body) pieces.push(piece);
    return { ...rest, file: Buffer.concat(pieces) };
  };
  const ask: Ask = Object.assign(whole, { raw });
  try {
    await story(ask, clock.now());
  } finally {
    await store.close();
    rmSync(directory, { recursive: true });
  }
}

const PROMETHEUS = '/telemetry/prometheus/api/v1';
const INFLUX = '/telemetry/influx/write';

async function dataOf(answer: Promise<Answered>): Promise<unknown> {
  const { status, body = '' } = await answer;
  assert.equal(status, 200, body);
  return (JSON.parse(body) as { data: unknown }).data;
}

function remoteWrite(labels: Readonly<Record<string, string>>, points: readonly (readonly [number, number])[]): Sent {
  const rows = [rowsOf(labels, 'float64', points)];
  return { method: 'POST', body: snappyCompress(encodeWriteRequest(rows, { prefix: '', tally: new Tally() })) };
}

test('what is written by remote write is found, labelled and charted', () =>
  check(async (ask, now) => {
    const points = [0, 1, 2].map((minute) => [now - 60_000 * (2 - minute), minute] as const);
    const written = await ask(`${PROMETHEUS}/write`, remoteWrite({ __name__: 'load', device: 'a' }, points));
    assert.equal(written.status, 204, written.body);
    const metric = { __name__: 'load', device: 'a' };
    assert.deepEqual(await dataOf(ask(`${PROMETHEUS}/query`, { query: { query: 'load' } })), {
      resultType: 'vector',
      result: [{ metric, value: [now / 1000, '2'] }],
    });
    const body = Buffer.from(
      new URLSearchParams({
        query: 'load * 2',
        start: `${now / 1000 - 120}`,
        end: new Date(now).toISOString(),
        step: '1m',
      }).toString(),
    );
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    assert.deepEqual(await dataOf(ask(`${PROMETHEUS}/query_range`, { method: 'POST', headers, body })), {
      resultType: 'matrix',
      result: [
        {
          metric: { device: 'a' },
          values: [0, 1, 2].map((minute) => [now / 1000 - 60 * (2 - minute), `${minute * 2}`]),
        },
      ],
    });
    assert.deepEqual(await dataOf(ask(`${PROMETHEUS}/labels`)), ['__name__', 'device']);
    assert.deepEqual(await dataOf(ask(`${PROMETHEUS}/label/device/values`)), ['a']);
    assert.deepEqual(await dataOf(ask(`${PROMETHEUS}/series`, { query: { 'match[]': '{device=~"a|b"}' } })), [metric]);
    assert.deepEqual(await dataOf(ask(`${PROMETHEUS}/series`, { query: { 'match[]': 'other' } })), []);
  }));

test('lines are stored, zipped or not; those that cannot be read are told, and the rest is there', () =>
  check(async (ask, now) => {
    const text = `press,device=a value=1,mode="on" ${now}\nnonsense\npress,device=b value=2 ${now}`;
    const body = gzipSync(text);
    const query = { precision: 'ms', db: 'x' };
    const answer = await ask(INFLUX, { method: 'POST', body, query, headers: { 'content-encoding': 'gzip' } });
    assert.equal(answer.status, 400);
    assert.match(answer.body ?? '', /the rest is stored; line 2: /);
    const data = (await dataOf(ask(`${PROMETHEUS}/query`, { query: { query: 'sum(press)' } }))) as {
      result: { value: unknown[] }[];
    };
    assert.equal(data.result[0]?.value[1], '3');
    const good = await ask(INFLUX, { method: 'POST', body: Buffer.from('press,device=c value=4'), query });
    assert.equal(good.status, 204);
  }));

test('SQL is asked over the last hour, or the time that is named', () =>
  check(async (ask, now) => {
    const lines = `m,property=load,device=a value=1 ${now - 1000}\nm,property=load,device=a value=3 ${now - 7_200_000}`;
    await ask(INFLUX, { method: 'POST', body: Buffer.from(lines), query: { precision: 'ms' } });
    const sum = async (more: object): Promise<unknown> => {
      const body = Buffer.from(JSON.stringify({ sql: 'SELECT sum(value) FROM samples', ...more }));
      const answer = await ask('/telemetry/sql', { method: 'POST', body });
      assert.equal(answer.status, 200, answer.body);
      return (JSON.parse(answer.body ?? '') as { rows: unknown }).rows;
    };
    assert.deepEqual(await sum({}), [[1]]);
    const start = '2026-01-01T00:00:00Z';
    assert.deepEqual(await sum({ start, match: 'm{device="a"}' }), [[4]]);
    assert.deepEqual(await sum({ start, match: ['{__name__=~"m|n"}', 'm'] }), [[4]]);
    assert.deepEqual(await sum({ start, match: '{property="load",device!="a"}' }), [[null]]);
    for (const body of [
      'junk',
      '[]',
      '{}',
      '{"sql":"SELECT 1","start":"noon"}',
      '{"sql":"SELECT 1","match":"1+1"}',
      '{"sql":"SELECT 1","match":[1]}',
      '{"sql":"nonsense"}',
    ])
      assert.equal((await ask('/telemetry/sql', { method: 'POST', body: Buffer.from(body) })).status, 400, body);
  }));

const EXPORT = '/telemetry/export';

/** Two loads a minute apart, and a mode that is a text. */
async function fillForExport(ask: Ask, now: number): Promise<void> {
  const lines = [60_000, 0].map((ago) => `load,device=a value=${ago / 1000} ${now - ago}`);
  lines.push(`mode,device=a,room=3 value="on, \\"loud\\"" ${now}`, `load,device=b value=1 ${now - 7_200_000}`);
  const written = await ask(INFLUX, {
    method: 'POST',
    body: Buffer.from(lines.join('\n')),
    query: { precision: 'ms' },
  });
  assert.equal(written.status, 204, written.body);
}

test('series are a CSV file, each once, in the time that is named', () =>
  check(async (ask, now) => {
    await fillForExport(ask, now);
    const { file, headers } = await ask(EXPORT, { query: { 'match[]': '{device="a"}', format: 'csv' } });
    assert.equal(headers['content-type'], 'text/csv; charset=utf-8');
    const [at, before] = [now, now - 60_000].map((time) => new Date(time).toISOString());
    assert.deepEqual(
      Buffer.from(file ?? [])
        .toString()
        .split('\r\n')
        .sort(),
      [
        '',
        `${before},load,a,,60,192`,
        `${at},load,a,,0,192`,
        `${at},mode,a,3,"on, ""loud""",192`,
        'time,__name__,device,room,value,quality',
      ],
    );
    const query = {
      'match[]': 'load',
      start: new Date(now - 86_400_000).toISOString(),
      end: `${now / 1000 - 3600}`,
      format: 'csv',
    };
    const earlier = Buffer.from((await ask(EXPORT, { query })).file ?? []).toString();
    assert.deepEqual(earlier.split('\r\n').slice(1), [`${new Date(now - 7_200_000).toISOString()},load,b,1,192`, '']);
  }));

test('series are a Parquet file that another library reads', () =>
  check(async (ask, now) => {
    await fillForExport(ask, now);
    const { file } = await ask(EXPORT, { query: { 'match[]': '{device="a"}' } });
    const rows = await parquetReadObjects({ file: Uint8Array.from(file ?? []).buffer });
    assert.deepEqual(
      rows.map(({ time, ...rest }) => ({ at: now - (time as Date).getTime(), ...rest })),
      [
        { at: 60_000, __name__: 'load', device: 'a', room: '', value: 60, text: null, quality: 192 },
        { at: 0, __name__: 'load', device: 'a', room: '', value: 0, text: null, quality: 192 },
        { at: 0, __name__: 'mode', device: 'a', room: '3', value: null, text: 'on, "loud"', quality: 192 },
      ],
    );
    const none = await ask(EXPORT, { query: { 'match[]': 'nothing' } });
    assert.deepEqual(await parquetReadObjects({ file: Uint8Array.from(none.file ?? []).buffer }), []);
  }));

test('two exports run at a time, and one that is given up makes room', () =>
  check(async (ask, now) => {
    await fillForExport(ask, now);
    const query = { 'match[]': 'load', format: 'csv' };
    const begin = async (): Promise<AsyncIterator<Uint8Array>> => {
      const { body } = await ask.raw(EXPORT, { query });
      assert.ok(body !== undefined && typeof body !== 'string');
      const pieces = body[Symbol.asyncIterator]();
      await pieces.next();
      return pieces;
    };
    const [one] = [await begin(), await begin()];
    assert.equal((await ask(EXPORT, { query })).status, 429);
    await one?.return?.();
    assert.equal((await ask(EXPORT, { query })).status, 200);
  }));

test('an export counts from when it is accepted, and one that nobody ever takes a piece of makes room too', () =>
  check(async (ask, now) => {
    await fillForExport(ask, now);
    const query = { 'match[]': 'load', format: 'csv' };
    const { body } = await ask.raw(EXPORT, { query });
    await ask.raw(EXPORT, { query });
    assert.equal((await ask(EXPORT, { query })).status, 429);
    assert.ok(body !== undefined && typeof body !== 'string');
    await body[Symbol.asyncIterator]().return?.();
    assert.equal((await ask(EXPORT, { query })).status, 200);
  }));

test('an export that is asked wrongly is refused before it begins', () =>
  check(async (ask) => {
    for (const query of [
      {},
      { 'match[]': 'sum(load)' },
      { 'match[]': 'load', format: 'xls' },
      { 'match[]': 'load', start: 'noon' },
      { 'match[]': 'load', start: '2', end: '1' },
    ] as const)
      assert.equal((await ask(EXPORT, { query })).status, 400, JSON.stringify(query));
    assert.equal((await ask(EXPORT, { method: 'POST' })).status, 405);
  }));

test('what is wrong is answered as Prometheus does, and said in words', () =>
  check(async (ask, now) => {
    for (const [path, query, status, words] of [
      ['query', { query: 'sum(' }, 400, /unexpected/],
      ['query', {}, 400, /query is needed/],
      ['query', { query: '1', time: 'noon' }, 400, /time must be/],
      ['query_range', { query: '1', start: '0', end: '100000000', step: '1' }, 400, /make the step longer/],
      ['query_range', { query: '1', start: '0', end: '1' }, 400, /step is needed/],
      ['series', {}, 400, /match\[\] is needed/],
      ['nothing', {}, 404, /there is no/],
      ['constructor', {}, 404, /there is no/],
    ] as const) {
      const answer = await ask(`${PROMETHEUS}/${path}`, { query });
      assert.equal(answer.status, status, path);
      assert.match(answer.body ?? '', words);
      assert.equal((JSON.parse(answer.body ?? '') as { status: string }).status, 'error');
    }
    assert.equal((await ask(`${PROMETHEUS}/write`, { method: 'POST', body: Buffer.from('junk') })).status, 400);
    assert.equal(
      (await ask(INFLUX, { method: 'POST', body: Buffer.from('m value=1'), query: { precision: 'x' } })).status,
      400,
    );
    assert.equal((await ask(INFLUX, { method: 'POST', body: Uint8Array.of(0xff) })).status, 400);
    assert.deepEqual(await dataOf(ask(`${PROMETHEUS}/label/%/values`)), []);
    const late = await ask(`${PROMETHEUS}/write`, remoteWrite({ __name__: 'load' }, [[now + 1e10, 1]]));
    assert.match(late.body ?? '', /too far in the future/);
  }));
