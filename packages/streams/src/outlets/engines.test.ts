/** Every outlet against a server of Debian's. */
import assert from 'node:assert/strict';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect as connectNats } from '@nats-io/transport-node';
import { eventually, requireSystem, type SystemNeed } from '@skerry/testkit/processes';
import { parquetReadObjects } from 'hyparquet';
import mqtt from 'mqtt';
import pg from 'pg';
import type { Outlet } from '../kinds/index.ts';
import { deliver } from './deliver.ts';
import { OutletError, type OutletRows, type OutletTarget, openTarget, type Sent } from './index.ts';
import {
  type Engine,
  loopback,
  startCarbon,
  startInfluxDb,
  startMosquitto,
  startNats,
  startPostgres,
  startPrometheus,
  startVictoriaMetrics,
} from './testing/engines.ts';
import { rowsOf } from './testing/rows.ts';

const PRESS = { namespace: 'plant', device: 'press-1', property: 'temperature' };
/** Engines take no times of long ago, and none to come. */
const T = Math.floor(Date.now() / 1000) * 1000 - 10_000;
const ROWS = [
  rowsOf(PRESS, 'float64', [
    [T, 20.5],
    [T + 1000, 21.5],
  ]),
];
const forever = new AbortController().signal;

interface Case {
  readonly type: Outlet['spec']['type'];
  readonly needs: readonly SystemNeed[];
  readonly start: () => Promise<Engine>;
  readonly endpoint: (engine: Engine) => string;
  readonly options?: Readonly<Record<string, unknown>>;
  /** The values that the engine has, oldest first. */
  readonly stored: (engine: Engine) => Promise<readonly number[]>;
  /** What the same rows sent again do there, where it is not nothing. */
  readonly repeated?: 'twice' | 'refused';
}

/** Sends while the engine is there, while it is away, and when it is back. */
async function check({ type, start, endpoint, options = {}, stored, repeated }: Case): Promise<void> {
  await using engine = await start();
  const target = await openTarget(type, {
    endpoint: endpoint(engine),
    headers: {},
    credentials: {},
    options,
    folder: tmpdir(),
    reach: loopback,
  });
  try {
    await sendOnceReady(target, ROWS);
    await eventually('the values are there', async () => {
      assert.deepEqual(await stored(engine), [20.5, 21.5]);
      return true;
    });
    await engine.stop();
    await assert.rejects(target.send(ROWS, forever), (error) => error instanceof OutletError && !error.isFinal);
    await engine.restart();
    const later = rowsOf(PRESS, 'float64', [[T + 2000, 22.5]]);
    const sent = await sendOnceReady(target, [...ROWS, later]);
    assert.deepEqual(sent.dropped, repeated === 'refused' ? { Refused: 1 } : {});
    await eventually('the values are there again', async () => {
      const once = [20.5, 21.5, 22.5];
      assert.deepEqual(await stored(engine), repeated === 'twice' ? [20.5, 20.5, 21.5, 21.5, 22.5] : once);
      return true;
    });
  } finally {
    await target.close();
  }
}

/** As whoever sends does: again, until the engine takes it. */
function sendOnceReady(target: OutletTarget, rows: readonly OutletRows[]): Promise<Sent> {
  return eventually('the engine takes the rows', () => deliver(target, rows, { signal: forever }));
}

async function json(url: string): Promise<unknown> {
  const response = await fetch(url);
  assert.ok(response.ok, `${response.status}: ${url}`);
  return await response.json();
}

async function promValues(base: string): Promise<readonly number[]> {
  const query = new URLSearchParams({ query: 'temperature{device="press-1"}[1h]', time: `${Date.now() / 1000}` });
  const { data } = (await json(`${base}/api/v1/query?${query}`)) as {
    data: { result: { values: [number, string][] }[] };
  };
  return data.result.flatMap(({ values }) => values.map(([, value]) => Number(value)));
}

const CASES: readonly Case[] = [
  {
    type: 'PrometheusRemoteWrite',
    needs: ['victoria-metrics'],
    start: startVictoriaMetrics,
    endpoint: ({ port }) => `http://127.0.0.1:${port}/api/v1/write`,
    stored: async ({ port }) => {
      await fetch(`http://127.0.0.1:${port}/internal/force_flush`);
      const text = await (
        await fetch(
          `http://127.0.0.1:${port}/api/v1/export?match[]=${encodeURIComponent('temperature{device="press-1"}')}`,
        )
      ).text();
      const found = text
        .split('\n')
        .filter(Boolean)
        .flatMap((line) => {
          const { timestamps, values } = JSON.parse(line) as { timestamps: number[]; values: number[] };
          return timestamps.map((time, index) => [time, values[index]] as const);
        });
      // Blocks are handed out as they are stored: what was sent twice stands in two.
      return [...new Map(found.sort(([a], [b]) => a - b)).values()].map(Number);
    },
  },
  {
    type: 'PrometheusRemoteWrite',
    needs: ['prometheus'],
    start: startPrometheus,
    endpoint: ({ port }) => `http://127.0.0.1:${port}/api/v1/write`,
    stored: ({ port }) => promValues(`http://127.0.0.1:${port}`),
    // The newest sample of a series may come twice, an older one may not.
    repeated: 'refused',
  },
  {
    type: 'InfluxLine',
    needs: ['influxdb'],
    start: async () => {
      const engine = await startInfluxDb();
      await fetch(`http://127.0.0.1:${engine.port}/query?q=${encodeURIComponent('CREATE DATABASE skerry')}`, {
        method: 'POST',
      });
      return engine;
    },
    endpoint: ({ port }) => `http://127.0.0.1:${port}`,
    stored: async ({ port }) => {
      const query = new URLSearchParams({ db: 'skerry', q: `SELECT value FROM temperature WHERE device='press-1'` });
      const { results } = (await json(`http://127.0.0.1:${port}/query?${query}`)) as {
        results: { series?: { values: [string, number][] }[] }[];
      };
      return results.flatMap(({ series = [] }) => series.flatMap(({ values }) => values.map(([, value]) => value)));
    },
  },
  {
    type: 'PostgreSql',
    needs: ['root', 'postgresql'],
    start: startPostgres,
    endpoint: ({ port }) => `postgresql://skerry@127.0.0.1:${port}/postgres`,
    stored: async ({ port }) => {
      const client = new pg.Client({ connectionString: `postgresql://skerry@127.0.0.1:${port}/postgres` });
      await client.connect();
      try {
        const text = `SELECT value FROM skerry_values WHERE name = 'temperature' AND labels->>'device' = 'press-1' ORDER BY time`;
        const { rows } = await client.query<{ value: number }>(text);
        return rows.map(({ value }) => value);
      } finally {
        await client.end();
      }
    },
    repeated: 'twice',
  },
  {
    type: 'Graphite',
    needs: ['graphite-carbon'],
    start: startCarbon,
    endpoint: ({ port }) => `127.0.0.1:${port}`,
    stored: async ({ directory }) => whisperValues(join(directory, 'whisper/skerry/plant/press-1/temperature.wsp')),
  },
  {
    type: 'Nats',
    needs: ['nats-server'],
    start: startNats,
    endpoint: ({ port }) => `nats://127.0.0.1:${port}`,
    options: { stream: 'values' },
    stored: async ({ port }) => {
      const connection = await connectNats({ servers: `127.0.0.1:${port}` });
      try {
        const { streams } = await jetstreamManager(connection);
        const { state } = await streams.info('values');
        const values: number[] = [];
        for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
          const message = await streams.getMessage('values', { seq });
          if (message?.subject === 'skerry.plant.press-1.temperature')
            values.push(message.json<{ value: number }>().value);
        }
        return values;
      } finally {
        await connection.close();
      }
    },
  },
];

for (const one of CASES)
  test(`${one.type} to ${one.needs.at(-1)}: all is there, also when the server was away meanwhile`, async (t) => {
    if (requireSystem(t, ...one.needs)) await check(one);
  });

test('a message for each row is with the broker before the batch counts as sent', async (t) => {
  if (!requireSystem(t, 'mosquitto')) return;
  await using engine = await startMosquitto();
  const endpoint = `mqtt://127.0.0.1:${engine.port}`;
  const reader = await mqtt.connectAsync(endpoint);
  const heard: unknown[] = [];
  reader.on('message', (topic, body) => heard.push([topic, (JSON.parse(String(body)) as { value: number }).value]));
  await reader.subscribeAsync('skerry/#', { qos: 1 });
  const target = await openTarget('Mqtt', {
    endpoint,
    headers: {},
    credentials: {},
    options: {},
    folder: tmpdir(),
    reach: loopback,
  });
  await target.send(ROWS, forever);
  const topic = 'skerry/plant/press-1/temperature';
  await eventually('both messages are heard', () => heard.length === 2);
  assert.deepEqual(heard, [
    [topic, 20.5],
    [topic, 21.5],
  ]);
  await target.close();
  await reader.endAsync();
  await engine.stop();
  const lonely = await openTarget('Mqtt', {
    endpoint,
    headers: {},
    credentials: {},
    options: {},
    folder: tmpdir(),
    reach: loopback,
  });
  await assert.rejects(lonely.send(ROWS, forever), OutletError);
  await lonely.close();
});

test('what an engine will never take is final; what it may take later is not', async () => {
  let status = 400;
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(status).end('no such thing'));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const settings = {
    endpoint: `http://127.0.0.1:${port}`,
    headers: {},
    credentials: {},
    options: {},
    folder: tmpdir(),
    reach: loopback,
  };
  try {
    for (const [code, isFinal] of [
      [400, true],
      [413, true],
      [401, false],
      [404, false],
      [429, false],
      [500, false],
      [302, false],
    ] as const) {
      status = code;
      const target = await openTarget('Http', settings);
      await assert.rejects(target.send(ROWS, forever), (error) => {
        assert.ok(error instanceof OutletError);
        assert.equal(error.isFinal, isFinal, `${code}`);
        assert.equal(error.message, `the engine answered ${code}`);
        assert.equal(error.said, 'no such thing');
        return true;
      });
    }
  } finally {
    server.close();
  }
});

test('Parquet files appear whole, one a batch', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-parquet-'));
  try {
    const target = await openTarget('Parquet', {
      endpoint: 'training/press',
      headers: {},
      credentials: {},
      options: {},
      folder: directory,
      reach: loopback,
    });
    await target.send(ROWS, forever);
    await target.send(ROWS, forever);
    const files = globSync(join(directory, 'training/press/*'));
    assert.equal(files.length, 2);
    for (const path of files) {
      const bytes = readFileSync(path);
      const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
      assert.deepEqual(
        (await parquetReadObjects({ file })).map(({ value }) => value),
        [20.5, 21.5],
      );
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
});

/** Points of a Whisper file with one archive: a header, then pairs of seconds and value, in a ring. */
function whisperValues(path: string): readonly number[] {
  const bytes = readFileSync(path);
  const offset = bytes.readUInt32BE(16);
  const count = bytes.readUInt32BE(24);
  const points = Array.from({ length: count }, (_none, index) => {
    const at = offset + index * 12;
    return [bytes.readUInt32BE(at), bytes.readDoubleBE(at + 4)] as const;
  });
  return points
    .filter(([time]) => time >= T / 1000)
    .sort(([a], [b]) => a - b)
    .map(([, value]) => value);
}
