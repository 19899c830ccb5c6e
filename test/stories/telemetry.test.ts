/** Series in the cloud and at a node: brought, written by others, asked by PromQL and SQL, exported, handed on by an outlet. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { silentLogger, systemClock } from '@skerry/base';
import { openSeriesStore } from '@skerry/streams/store';
import { CHECKOUT, eventually, runToEnd, TestCloud, TestEdge } from '@skerry/testkit/processes';
import { TestClient } from '../security/client.ts';

const PLACEMENT = { nodeName: 'edge-1' };

const MODEL = {
  apiVersion: 'devices.skerry.io/v1alpha1',
  kind: 'DeviceModel',
  metadata: { name: 'press' },
  spec: { version: '1.0.0', properties: [{ name: 'load', type: 'float64' }] },
};

const PRESS = {
  apiVersion: 'devices.skerry.io/v1alpha1',
  kind: 'Device',
  metadata: { name: 'press-1', namespace: 'default' },
  spec: {
    model: { name: 'press' },
    protocol: 'simulator',
    placement: PLACEMENT,
    visitors: [
      {
        property: 'load',
        address: { signal: 'Sine', minimum: 1, maximum: 10, period: '2s' },
        scanClass: '100ms',
      },
    ],
  },
};

const ROUTE = {
  apiVersion: 'streams.skerry.io/v1alpha1',
  kind: 'Route',
  metadata: { name: 'all', namespace: 'default' },
  spec: { placement: PLACEMENT, batch: { maxDelay: '100ms' } },
};

/** What the node keeps itself. */
const RETENTION = {
  apiVersion: 'streams.skerry.io/v1alpha1',
  kind: 'Retention',
  metadata: { name: 'local', namespace: 'default' },
  spec: { placement: PLACEMENT, keep: '1d' },
};

interface Series {
  readonly data: {
    readonly result: readonly { readonly metric: Record<string, string>; readonly value: [number, string] }[];
  };
}

interface Found {
  readonly labels: Record<string, string>;
  readonly values: readonly unknown[];
}

interface Told {
  readonly status?: {
    readonly state?: string;
    readonly onNodes?: Record<string, { readonly sentRows?: number; readonly lastError?: string }>;
  };
}

suite('series in the cloud', () => {
  let cloud: TestCloud;
  let edge: TestEdge;
  let engine: Server;
  /** The labels of the rows that came to the outlet's engine. */
  const heard: Record<string, string>[] = [];

  before(async () => {
    cloud = await TestCloud.start({ args: ['--outlet-allow', '127.0.0.1'] });
    edge = await TestEdge.join(cloud, { name: 'edge-1' });
    engine = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk) => {
        text += String(chunk);
      });
      request.on('end', () => {
        for (const { labels } of JSON.parse(text) as { labels: Record<string, string> }[]) heard.push(labels);
        response.end();
      });
    }).listen(0, '127.0.0.1');
    await once(engine, 'listening');
  });
  after(async () => {
    engine?.close();
    await edge?.[Symbol.asyncDispose]();
    await cloud?.[Symbol.asyncDispose]();
  });

  function outlet(name: string, placement?: object): object {
    const address = engine.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    return {
      apiVersion: 'streams.skerry.io/v1alpha1',
      kind: 'Outlet',
      metadata: { name, namespace: 'default' },
      spec: {
        ...(placement === undefined ? {} : { placement }),
        type: 'Http',
        endpoint: `http://127.0.0.1:${port}`,
        batch: { maxDelay: '100ms' },
      },
    };
  }

  async function prometheus(query: string): Promise<Series['data']['result']> {
    const path = `/telemetry/prometheus/api/v1/query?${new URLSearchParams({ query })}`;
    return (JSON.parse(await cloud.kubectl(['get', '--raw', path])) as Series).data.result;
  }

  test('what a node brings is asked by PromQL, under the name of the node', async () => {
    for (const object of [outlet('out'), MODEL, PRESS, ROUTE, RETENTION]) await cloud.apply(object);
    const [found] = await eventually('a value', async () => {
      const result = await prometheus('load{device="press-1"}');
      return result.length > 0 && result;
    });
    assert.deepEqual(found?.metric, { __name__: 'load', device: 'press-1', namespace: 'default', node: 'edge-1' });
    const value = Number(found?.value[1]);
    assert.ok(value >= 1 && value <= 10, `${value}`);
    assert.equal((await prometheus('min_over_time(load[1m]) >= 1')).length, 1);
  });

  test('an outlet gets what comes, and goes on after the cloud was killed', async () => {
    await eventually('the engine hears of it', () => heard.length > 10);
    assert.deepEqual(heard[0], { namespace: 'default', device: 'press-1', property: 'load', node: 'edge-1' });
    await cloud.process.kill9();
    await cloud.process.start();
    const before = heard.length;
    await eventually('the engine hears more', () => heard.length > before + 10);
    await eventually('the outlet says what it sent', async () => {
      const { status } = await cloud.get<Told>(['outlet.streams.skerry.io', 'out']);
      return status?.state === 'Running' && (status.onNodes?.['cloud']?.sentRows ?? 0) > 10;
    });
  });

  test('an outlet of the cloud does not reach what is for its machine alone, and says what to do', async () => {
    const spec = { type: 'Http', endpoint: 'http://127.0.0.2:9', batch: { maxDelay: '100ms' } };
    const metadata = { name: 'inside', namespace: 'default' };
    await cloud.apply({ apiVersion: 'streams.skerry.io/v1alpha1', kind: 'Outlet', metadata, spec });
    await eventually('it is told', async () => {
      const { status } = await cloud.get<Told>(['outlet.streams.skerry.io', 'inside']);
      return status?.onNodes?.['cloud']?.lastError?.includes('skerry cloud --outlet-allow 127.0.0.2:9 lets them');
    });
    await cloud.kubectl(['delete', 'outlet.streams.skerry.io', 'inside']);
  });

  test('an outlet that is placed on a node sends from there', async () => {
    await cloud.apply(outlet('local', PLACEMENT));
    await eventually('the engine hears of the node itself', () => heard.some((labels) => labels['node'] === undefined));
    await eventually('the outlet says that it runs', async () => {
      const { status } = await cloud.get<Told>(['outlet.streams.skerry.io', 'local']);
      return status?.state === 'Running';
    });
  });

  test('lines that others write are there once they were answered, and SQL counts them', async () => {
    using admin = new TestClient(cloud.kubeconfig);
    const now = Date.now();
    const body = `oven,device=oven-1 value=180 ${now}\noven,device=oven-1 value=220 ${now - 1000}`;
    const path = '/telemetry/influx/write?precision=ms';
    const written = await admin.ask({ method: 'POST', path, body, contentType: 'text/plain' });
    assert.equal(written.status, 204, written.text);
    assert.equal((await prometheus('oven'))[0]?.value[1], '180');
    const sql = 'SELECT device, avg(value) FROM samples GROUP BY ALL';
    const asked = await admin.ask({
      method: 'POST',
      path: '/telemetry/sql',
      body: JSON.stringify({ sql, match: '{device="oven-1"}' }),
    });
    assert.equal(asked.status, 200, asked.text);
    assert.deepEqual((JSON.parse(asked.text) as { rows: unknown }).rows, [['oven-1', 200]]);
  });

  /** What `skerry series …` prints as JSON. */
  async function series(...args: readonly string[]): Promise<Found[]> {
    const { code, stdout, stderr } = await cloud.skerry(['series', ...args, '-o', 'json']);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as Found[];
  }

  test('a node is asked through the cloud for what it has recorded itself', async () => {
    const [own, ...more] = await eventually('what the node recorded', async () => {
      const found = await series('query', 'load', '--node', 'edge-1');
      return (found[0]?.values.length ?? 0) > 5 && found;
    });
    assert.deepEqual([own?.labels, more], [{ namespace: 'default', device: 'press-1', property: 'load' }, []]);
    const [counted] = await series('query', 'count_over_time(load[1h])', '--node', 'edge-1');
    assert.ok(Number(counted?.values[0]) >= (own?.values.length ?? 0), `${counted?.values[0]}`);
    const atNode = await cloud.skerry(['series', 'last', 'load', '--kubeconfig', edge.kubeconfig]);
    assert.match(atNode.stdout, /default +load\{device="press-1"\} +[0-9.]+ +Good/);
    const away = await cloud.skerry(['series', 'last', '--node', 'edge-9']);
    assert.match(away.stderr, /edge-9/);
    assert.notEqual(away.code, 0);
  });

  test('the cloud is asked for one namespace, as the right to it says', async () => {
    const last = await series('last', 'load');
    assert.deepEqual(
      last.map(({ labels }) => labels['node']),
      ['edge-1'],
    );
    assert.ok((await series('list', '-A')).some(({ labels }) => labels['property'] === 'load'));
    assert.deepEqual(await series('query', 'load', '-n', 'kube-system'), []);
    const shown = await cloud.kubectl(['get', 'series.telemetry.skerry.io', '-l', 'device=press-1']);
    assert.match(shown, /press-1 +load +edge-1/);
    await cloud.kubectl(['create', 'serviceaccount', 'reader']);
    await cloud.kubectl(['create', 'rolebinding', 'reader', '--clusterrole=view', '--serviceaccount=default:reader']);
    const can = async (namespace: string) => {
      const subject = '--as=system:serviceaccount:default:reader';
      const asked = ['auth', 'can-i', 'create', 'seriesqueries.telemetry.skerry.io', '-n', namespace, subject];
      return (await cloud.kubectl(asked).catch(() => 'no')).trim();
    };
    await eventually('a viewer may ask', async () => (await can('default')) === 'yes');
    assert.equal(await can('kube-system'), 'no');
  });

  test('a rule is tried on rows that are given, before there is one', async () => {
    using admin = new TestClient(cloud.kubeconfig);
    await cloud.apply({
      apiVersion: 'streams.skerry.io/v1alpha1',
      kind: 'Stream',
      metadata: { name: 'presses', namespace: 'default' },
      spec: { source: { devices: {} } },
    });
    const sql = 'SELECT device, load FROM presses WHERE load > 5';
    const rows = [3, 8].map((load) => ({ row: { device: 'press-1', load, time: '2026-01-01T00:00:00Z' } }));
    const path = '/apis/telemetry.skerry.io/v1alpha1/namespaces/default/ruletests';
    const { status, text } = await admin.ask({ method: 'POST', path, body: JSON.stringify({ spec: { sql, rows } }) });
    assert.equal(status, 201, text);
    const tried = JSON.parse(text) as { status: { results: unknown; errors: unknown } };
    assert.deepEqual([tried.status.results, tried.status.errors], [[{ device: 'press-1', load: 8 }], []]);
  });

  test('series are exported into a file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'skerry-export-'));
    try {
      const file = join(folder, 'load.csv');
      const { code, stderr } = await cloud.skerry(['series', 'export', 'load', '--output', file]);
      assert.equal(code, 0, stderr);
      const [header, first = '', ...rest] = readFileSync(file, 'utf8').trimEnd().split('\r\n');
      assert.equal(header, 'time,device,namespace,node,property,value,quality');
      assert.match(first, /Z,press-1,default,edge-1,load,[0-9.]+,192$/);
      assert.ok(rest.length > 5, `${rest.length} rows`);
      const parquet = join(folder, 'load.parquet');
      await cloud.skerry(['series', 'export', 'load', '--output', parquet]);
      assert.equal(readFileSync(parquet).subarray(-4).toString(), 'PAR1');
      const counted = await cloud.skerry([
        'series',
        'sql',
        'SELECT device, count(*) > 5 FROM samples GROUP BY ALL',
        '-o',
        'csv',
      ]);
      assert.match(counted.stdout, /press-1,true/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('an outlet exports what was recorded by schedule, and SQL reads the files', async () => {
    await cloud.apply({
      apiVersion: 'streams.skerry.io/v1alpha1',
      kind: 'Outlet',
      metadata: { name: 'training', namespace: 'default' },
      spec: {
        type: 'Parquet',
        endpoint: 'training/press',
        series: [{ device: 'press-*' }],
        export: { schedule: '@every 1s', delay: '0s', range: '1h', maxFiles: 2 },
      },
    });
    const sql = 'SELECT device, property, count(*) > 5 FROM exports."default/training/press" GROUP BY ALL';
    await eventually('SQL reads what was exported', async () => {
      const { stdout } = await cloud.skerry(['series', 'sql', sql, '-o', 'csv']);
      return stdout.includes('press-1,load,true');
    });
    await cloud.kubectl(['delete', 'outlet', 'training']);
  });

  test('a backup that is made while values come has the series, and they come back', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'skerry-series-backup-'));
    try {
      const [file, restored] = [join(folder, 'cloud.backup'), join(folder, 'restored')];
      const passphrase = join(folder, 'passphrase');
      writeFileSync(passphrase, 'twelve letters at least');
      const given = ['--passphrase-file', passphrase];
      const made = await cloud.skerry(['backup', file, '--data-dir', cloud.dir, ...given]);
      assert.equal(made.code, 0, made.stderr);
      const back = await runToEnd(
        join(CHECKOUT, 'bin', 'skerry'),
        ['restore', file, '--data-dir', restored, ...given],
        {
          env: { SKERRY_KEY_DIR: join(folder, 'keys') },
        },
      );
      assert.equal(back.code, 0, back.stderr);
      assert.match(back.stdout, /objects and time series, CA and keys/);
      const directory = join(restored, 'cloud', 'series');
      await using store = await openSeriesStore({ directory, clock: systemClock, log: silentLogger });
      const matchers = [{ label: 'device', op: '=', value: 'press-1' }] as const;
      const { series, damaged } = await store.query({ matchers, from: 0, to: Date.now() });
      assert.equal(damaged, 0);
      assert.ok((series[0]?.rows.length ?? 0) > 5);
      assert.equal(series[0]?.series.labels['node'], 'edge-1');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('nobody asks without the right to', async () => {
    using anonymous = new TestClient(cloud.kubeconfig, true);
    for (const [method, path] of [
      ['GET', '/telemetry/prometheus/api/v1/labels'],
      ['POST', '/telemetry/sql'],
      ['GET', '/telemetry/export?match[]=load'],
    ] as const) {
      const { status } = await anonymous.ask({ method, path, ...(method === 'POST' ? { body: '{}' } : {}) });
      assert.ok([401, 403].includes(status), `${path}: ${status}`);
    }
  });
});
