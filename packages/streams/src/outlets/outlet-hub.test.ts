import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger, systemClock } from '@skerry/base';
import { eventually } from '@skerry/testkit/processes';
import { BatchBuilder } from '../contract/index.ts';
import type { Outlet } from '../kinds/index.ts';
import { RoadFile } from '../road/edge/road-file.ts';
import type { Labels } from '../store/index.ts';
import type { JsonRow } from './http.ts';
import { OutletHub } from './outlet-hub.ts';
import { anywhere } from './reach.ts';
import { type Credentials, OutletError } from './target.ts';

const SERIES: readonly Labels[] = [
  { namespace: 'plant', device: 'press', property: 'load' },
  { namespace: 'plant', device: 'press', property: 'mode' },
  { namespace: 'other', device: 'press', property: 'load' },
  { __name__: 'up' },
];

function outlet(endpoint: string, spec: Partial<Outlet['spec']> = {}): Outlet {
  const metadata = { namespace: 'plant', name: 'out' };
  const batch = { maxDelay: '20ms' };
  return {
    apiVersion: 'streams.skerry.io/v1alpha1',
    kind: 'Outlet',
    metadata,
    spec: { type: 'Http', endpoint, batch, ...spec },
  };
}

interface Scene {
  readonly hub: OutletHub;
  readonly set: (key: string, object: Outlet, credentials?: Credentials) => Promise<void>;
  readonly endpoint: string;
  readonly heard: string[];
  readonly file: RoadFile;
  /** One row of each series. */
  readonly take: () => void;
}

async function check(story: (scene: Scene) => Promise<void>, maxSeries = 100): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-hub-'));
  const heard: string[] = [];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => {
      text += String(chunk);
    });
    request.on('end', () => {
      for (const { labels } of JSON.parse(text) as JsonRow[])
        heard.push(
          `${request.headers.authorization ?? ''}${labels['namespace'] ?? ''}/${labels['property'] ?? labels['__name__']}`,
        );
      response.end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const endpoint = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  const file = new RoadFile({ file: join(directory, 'outlets.db'), clock: systemClock, log: silentLogger, maxSeries });
  const describe = (series: number) => ({ labels: SERIES[series] ?? {}, type: 'float64' as const });
  const hub = new OutletHub({
    file,
    clock: systemClock,
    log: silentLogger,
    random: () => 0,
    describe,
    folder: directory,
    reach: anywhere,
  });
  const set = async (key: string, object: Outlet, credentials: Credentials = {}): Promise<void> => {
    hub.declare(key, object);
    await hub.connect(key, object, credentials);
  };
  const take = (): void => {
    const builder = new BatchBuilder();
    for (const series of SERIES.keys()) builder.add(series, 1000, 1, 192);
    const batch = builder.take();
    if (batch !== undefined) hub.take(batch);
  };
  try {
    await story({ hub, set, endpoint, heard, file, take });
  } finally {
    await hub.close();
    file.close();
    server.close();
    rmSync(directory, { recursive: true });
  }
}

test('an outlet gets what it is about of its namespace; what is of none is nobody’s', () =>
  check(async ({ hub, set, endpoint, heard, take }) => {
    await set('plant/out', outlet(endpoint));
    await set('plant/load', outlet(endpoint, { series: [{ property: 'lo*' }] }), { token: 'secret' });
    take();
    await eventually('all has been heard', () => heard.length >= 3);
    assert.deepEqual(heard.toSorted(), ['Bearer secretplant/load', 'plant/load', 'plant/mode'].toSorted());
    // The engine has it a little before its answer is here.
    await eventually('it is known as delivered', () => hub.report('plant/load')?.delivered === 1);
    assert.equal(heard.length, 3);
  }));

test('what waits is kept when an outlet changes, and goes with the outlet', () =>
  check(async ({ hub, set, endpoint, heard, file, take }) => {
    await set('plant/out', outlet('http://127.0.0.1:9', { series: [{ property: 'load' }] }));
    take();
    hub.flush();
    await set('plant/out', outlet(endpoint, { series: [{ property: 'load' }] }));
    await eventually('what waited has been heard', () => heard.length === 1);
    await set('plant/out', outlet('http://127.0.0.1:9'));
    take();
    hub.flush();
    assert.ok((hub.report('plant/out')?.live.rows ?? 0) > 0);
    await hub.remove('plant/out');
    assert.equal(hub.report('plant/out'), undefined);
    assert.deepEqual(file.queues, []);
  }));

test('what comes before an outlet is connected waits for it', () =>
  check(async ({ hub, endpoint, heard, take }) => {
    const object = outlet(endpoint, { series: [{ property: 'load' }] });
    hub.declare('plant/out', object);
    take();
    await hub.connect('plant/out', object, {});
    await eventually('it has been heard', () => heard.length === 1);
  }));

test('options that make no sense are refused in words', () =>
  check(({ set, endpoint }) =>
    assert.rejects(set('plant/out', outlet(endpoint, { options: { format: 'xml' } })), (error) => {
      assert.ok(error instanceof OutletError);
      assert.match(error.message, /options\.format must be one of json, ndjson/);
      return true;
    }),
  ));

test('a series too many is refused once, its values are counted, and the status says why', () =>
  check(async ({ hub, set, endpoint, heard, file, take }) => {
    await set('plant/out', outlet(endpoint));
    let asked = 0;
    const series = file.series.bind(file);
    file.series = (...of) => {
      asked++;
      return series(...of);
    };
    take();
    const first = asked;
    take();
    await eventually('those that are not too many are heard', () => heard.length === 2);
    assert.deepEqual([asked, heard], [first, ['plant/load', 'plant/load']]);
    const { dropped, refusal } = hub.report('plant/out') ?? {};
    assert.deepEqual(dropped, { TooManySeries: (first - 1) * 2 });
    assert.equal(refusal, 'there are more than 1 different series; values of further ones are dropped');
  }, 1));
