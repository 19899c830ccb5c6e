/**
 * Rules: eKuiper's README rule (filter and project) on JSON messages of an in-process source, and on those of mosquitto; an average over a tumbling window for
 * a thousand keys, from decoded rows; and three hundred rules that share a stream of five hundred messages a second.
 */

import { silentLogger, systemClock } from '@skerry/base';
import { openMqtt } from '../packages/streams/src/edge/sources/mqtt.ts';
import { messageTaker } from '../packages/streams/src/edge/sources/take-message.ts';
import { createFlow, type Flow } from '../packages/streams/src/engine/flow.ts';
import { limitsOf, type PreparedRule, prepareRule, timingOf } from '../packages/streams/src/engine/rule/prepare.ts';
import type { Rule } from '../packages/streams/src/kinds/rule.ts';
import type { Stream, StreamSpec } from '../packages/streams/src/kinds/stream.ts';
import { createContext, type Row } from '../packages/streams/src/sql/index.ts';
import { report, round } from './support/figures.ts';
import { countBytes, flood, startMosquitto } from './support/mosquitto.ts';

const DURATION_MS = 3000;
const STREAM: StreamSpec = {
  source: { simulator: {} },
  timestamp: { field: 'ts' },
  schema: [
    { name: 'ts', type: 'Bigint' },
    { name: 'id', type: 'String' },
    { name: 'temperature', type: 'Float' },
    { name: 'humidity', type: 'Float' },
  ],
};

const METER: StreamSpec = {
  source: { simulator: {} },
  schema: [
    { name: 'value', type: 'Float' },
    { name: 'text', type: 'String' },
  ],
};

filterAndProject();
await throughMosquitto();
tumblingAverage();
manyRules();

function prepared(sql: string, spec: StreamSpec = STREAM): PreparedRule {
  const rule: Rule = { apiVersion: '', kind: 'Rule', metadata: { name: 'bench' }, spec: { sql } };
  const stream: Stream = { apiVersion: '', kind: 'Stream', metadata: { name: 'demo' }, spec };
  return prepareRule(rule, {
    around: { stream: () => stream, table: () => undefined, streamNames: () => ['demo'], tableNames: () => [] },
  });
}

function flowOf(rule: PreparedRule, onRows: (rows: readonly Row[]) => void): Flow {
  return createFlow({
    plan: rule.plan,
    limits: limitsOf(rule.spec),
    createContext: (meta) => createContext({ ruleId: 'bench', now: Date.now, meta }),
    timing: (stream) => timingOf(rule.spec, rule.streams.get(stream)),
    table: () => ({ find: () => [] }),
    onRows,
    onLate: () => {
      throw new Error('a row was late');
    },
    onError: (_operator, error) => {
      throw error;
    },
  });
}

function perSecond(turn: (count: number) => void): number {
  const CHUNK = 1000;
  for (let warm = 0; warm < 20; warm++) turn(CHUNK);
  const started = performance.now();
  let count = 0;
  for (; performance.now() - started < DURATION_MS; count += CHUNK) turn(CHUNK);
  return (count * 1000) / (performance.now() - started);
}

/** From the text of a message to the result: read, checked against the schema, filtered, projected. */
function filterAndProject(): void {
  let results = 0;
  const flow = flowOf(prepared('SELECT temperature, humidity FROM demo WHERE temperature > 50'), (rows) => {
    results += rows.length;
  });
  const take = messageTaker(STREAM, {
    row: (row, time) => flow.offer('demo', row, time ?? 0),
    failed: (error) => {
      throw error;
    },
    problem: () => {},
    end: () => {},
  });
  const messages = Array.from({ length: 1000 }, (_, at) =>
    JSON.stringify({ ts: 1, id: `meter-${at % 100}`, temperature: at % 100, humidity: 40 + (at % 20) }),
  );
  const measured = perSecond((count) => {
    for (let at = 0; at < count; at++) take(messages[at] ?? '');
  });
  let sum = 0;
  const bare = perSecond((count) => {
    for (let at = 0; at < count; at++)
      sum += (JSON.parse(messages[at] ?? '') as { readonly temperature: number }).temperature;
  });
  if (results === 0 || sum === 0) throw new Error('no results');
  report({
    name: 'filter and project, JSON messages',
    value: Math.round(measured),
    unit: '/s',
    atLeast: 300_000,
    ratio: round(measured / bare, 2),
    of: 'JSON.parse alone',
  });
}

/** From the broker to the result, beside a subscriber that only counts what the broker delivers; each the best of its rounds. */
async function throughMosquitto(): Promise<void> {
  const MESSAGES = 400_000;
  const ROUNDS = 3;
  await using broker = await startMosquitto();
  const bare = await countBytes(broker.port, 'bench/#');
  const delivered: number[] = [];
  for (let round = 0; round < ROUNDS; round++) delivered.push(await flood(broker.port, MESSAGES, () => bare.seen()));
  bare.close();
  let results = 0;
  const source = { mqtt: { server: broker.url, topic: 'bench/#', qos: 0 } };
  const flow = flowOf(prepared('SELECT value, text FROM demo WHERE value > -1', METER), (rows) => {
    results += rows.length;
  });
  const { promise: subscribed, resolve } = Promise.withResolvers<void>();
  const target = {
    row: (row: Row, time = 0) => flow.offer('demo', row, time),
    failed: (error: unknown) => {
      throw error;
    },
    problem: (sentence: string | undefined) => {
      if (sentence === undefined) resolve();
    },
    end: () => {},
  };
  const context = { namespace: 'default', name: 'demo', clock: systemClock, log: silentLogger, random: Math.random };
  const opened = openMqtt({ ...METER, source }, target, { ...context, folder: '', secret: {} });
  await subscribed;
  const measured: number[] = [];
  for (let round = 0; round < ROUNDS; round++) measured.push(await flood(broker.port, MESSAGES, () => results));
  await opened.close();
  const [ours, most] = [Math.max(...measured), Math.max(...delivered)];
  report(
    { name: 'filter and project, messages of mosquitto', value: Math.round(ours), unit: '/s' },
    {
      name: 'the same, of what mosquitto delivers to a subscriber that counts bytes',
      value: round((ours * 100) / most, 0),
      unit: '%',
      atLeast: 90,
      note: `it delivers ${Math.round(most)}/s`,
    },
  );
}

function tumblingAverage(): void {
  let results = 0;
  const rule = prepared('SELECT id, avg(temperature) AS average FROM demo GROUP BY id, TUMBLINGWINDOW(ss, 1)');
  const flow = flowOf(rule, (rows) => {
    results += rows.length;
  });
  const rows = Array.from(
    { length: 1000 },
    (_, at): Row => ({ ts: 0, id: `meter-${at}`, temperature: at, humidity: 1 }),
  );
  let time = 0;
  const measured = perSecond((count) => {
    // A thousand rows a key and window.
    time += 1;
    for (let at = 0; at < count; at++) flow.offer('demo', rows[at] ?? {}, time);
  });
  if (results === 0) throw new Error('no results');
  report({
    name: 'tumbling average over 1,000 keys, decoded rows',
    value: Math.round(measured),
    unit: '/s',
    atLeast: 5_000_000,
  });
}

/** What three hundred rules take beside nothing: memory, and how much of a core. */
function manyRules(): void {
  const RULES = 300;
  const SECONDS = 10;
  const MESSAGES = 500;
  globalThis.gc?.();
  const before = process.memoryUsage().rss;
  const flows = Array.from({ length: RULES }, (_, at) =>
    flowOf(prepared(`SELECT temperature, humidity FROM demo WHERE temperature > ${at % 100}`), () => {}),
  );
  const take = messageTaker(STREAM, {
    row: (row, time) => {
      for (const flow of flows) flow.offer('demo', row, time ?? 0);
    },
    failed: () => {},
    problem: () => {},
    end: () => {},
  });
  const started = performance.now();
  for (let at = 0; at < SECONDS * MESSAGES; at++)
    take(JSON.stringify({ ts: at, id: 'meter', temperature: at % 100, humidity: 50 }));
  const busy = (performance.now() - started) / (SECONDS * 1000);
  const grown = (process.memoryUsage().rss - before) / 1_000_000;
  report(
    { name: '300 rules × 500 messages/s: share of a core', value: round(busy * 100, 1), unit: '%', atMost: 100 },
    { name: '300 rules × 500 messages/s: memory over none', value: round(grown, 1), unit: 'MB', atMost: 100 },
  );
}
