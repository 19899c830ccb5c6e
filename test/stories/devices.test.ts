/** A simulated device, from its model to its values: at the cloud, and at its node while the cloud cannot be reached. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, suite, test } from 'node:test';
import { connect } from 'node:tls';
import {
  CHECKOUT,
  type CommandResult,
  eventually,
  freePort,
  runToEnd,
  TcpProxy,
  TestCloud,
  TestEdge,
} from '@skerry/testkit/processes';

const API = 'devices.skerry.io/v1alpha1';

const MODEL = {
  apiVersion: API,
  kind: 'DeviceModel',
  metadata: { name: 'tank' },
  spec: {
    version: '1.0.0',
    properties: [
      { name: 'level', type: 'float64', unit: 'm', minimum: 0, maximum: 10 },
      { name: 'pump', type: 'bool' },
      { name: 'limit', type: 'int16', access: 'ReadWrite', minimum: 0, maximum: 100 },
    ],
    commands: [{ name: 'echo', input: [{ name: 'x', type: 'int32' }], output: [{ name: 'x', type: 'int32' }] }],
  },
};

const TANK = {
  apiVersion: API,
  kind: 'Device',
  metadata: { name: 'tank-1', namespace: 'default', labels: { hall: 'north' } },
  spec: {
    model: { name: 'tank' },
    protocol: 'simulator',
    placement: { nodeName: 'edge-1' },
    visitors: [
      { property: 'level', address: { signal: 'Sine', minimum: 0, maximum: 10, period: '2s' }, scanClass: '50ms' },
      { property: 'pump', address: { signal: 'Constant', initial: { value: true } } },
      { property: 'limit', address: { signal: 'Memory', initial: { value: 7 } } },
    ],
    commands: [{ name: 'echo', address: {} }],
  },
};

const BROKER = {
  apiVersion: API,
  kind: 'MqttBroker',
  metadata: { name: 'site', namespace: 'default' },
  spec: { placement: { nodeName: 'edge-1' }, listeners: [{ name: 'tls', port: 0 }] },
};

interface Broker {
  readonly status?: { readonly state?: string; readonly endpoints?: readonly string[]; readonly authority?: string };
}

const SCALE_SECRET = {
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name: 'scale-1', namespace: 'default' },
  stringData: { 'webhook-token': 'right' },
};

const scale = (port: number) => ({
  apiVersion: API,
  kind: 'Device',
  metadata: { name: 'scale-1', namespace: 'default' },
  spec: {
    model: { name: 'tank' },
    protocol: 'http',
    placement: { nodeName: 'edge-1' },
    connection: { secretName: 'scale-1', options: { webhook: { port, path: '/scale-1' } } },
    visitors: [{ property: 'level', mode: 'Subscribe', address: { field: 'level' } }],
  },
});

/** The status of the answer; nothing while nobody listens. */
async function post(port: number, ca: string): Promise<number | undefined> {
  const headers = { authorization: 'Bearer right' };
  const outgoing = request({ host: '127.0.0.1', port, path: '/scale-1', method: 'POST', ca, headers, agent: false });
  outgoing.end('{"level": 2.5}');
  try {
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    answer.resume();
    return answer.statusCode;
  } catch {
    return undefined;
  }
}

interface Device {
  readonly metadata: { readonly resourceVersion: string };
  readonly spec: { readonly desired?: Readonly<Record<string, { readonly value?: unknown }>> };
  readonly status?: {
    readonly writes?: Readonly<Record<string, { readonly result: string }>>;
    readonly state?: string;
    readonly lastError?: string;
    readonly reported?: Readonly<Record<string, { readonly value?: unknown; readonly quality: string }>>;
  };
}

interface LiveValue {
  readonly property: string;
  readonly value: unknown;
  readonly quality: string;
  readonly time: string;
}

suite('a simulated device', () => {
  let cloud: TestCloud;
  let cable: TcpProxy;
  let edge: TestEdge;

  before(async () => {
    cloud = await TestCloud.start();
    cable = await TcpProxy.start(cloud.linkAddress);
    edge = await TestEdge.join(cloud, { name: 'edge-1', args: ['--join', cable.address] });
  });
  after(async () => {
    await edge?.[Symbol.asyncDispose]();
    await cable?.[Symbol.asyncDispose]();
    await cloud?.[Symbol.asyncDispose]();
  });

  /** Processes of the data worker, by what the agent says of them. */
  const workerLog = () =>
    readFileSync(join(edge.dir, 'edge.log'), 'utf8')
      .split('\n')
      .filter((line) => line.includes('"worker":"data"'))
      .map((line) => JSON.parse(line) as { readonly msg: string; readonly pid?: number });

  const live = async (at: { skerry(args: readonly string[]): Promise<CommandResult> }): Promise<LiveValue[]> => {
    const { code, stdout, stderr } = await at.skerry(['device', 'get', 'tank-1', '-o', 'json']);
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as LiveValue[];
  };

  /** The `skerry` command against the node's own API. */
  const atEdge = {
    skerry: (args: readonly string[]) =>
      runToEnd(join(CHECKOUT, 'bin', 'skerry'), [...args, '--kubeconfig', edge.kubeconfig], { env: {} }),
  };

  const device = () => cloud.get<Device>(['device', 'tank-1']);

  test('no worker runs while nothing needs it', () => assert.deepEqual(workerLog(), []));

  test('a device that its model cannot mean is refused with the place', async () => {
    await cloud.apply(MODEL);
    const odd = { ...TANK, spec: { ...TANK.spec, visitors: [{ property: 'depth', address: { signal: 'Sine' } }] } };
    const { code, stderr } = await cloud.tryKubectl(['apply', '-f', '-'], { input: JSON.stringify(odd) });
    assert.notEqual(code, 0);
    assert.match(stderr, /spec\.visitors\[0\]\.property: Not found: "depth"/);
  });

  test('its values are in its status, and live at the cloud', async () => {
    await cloud.apply(TANK);
    await eventually('reported values', async () => {
      const { status } = await device();
      return status?.state === 'Connected' && status.reported?.['pump']?.value === true;
    });
    const values = await live(cloud);
    assert.deepEqual(
      values.map(({ property, quality }) => [property, quality]),
      [
        ['level', 'Good'],
        ['pump', 'Good'],
        ['limit', 'Good'],
      ],
    );
    assert.ok(Number(values[0]?.value) >= 0 && Number(values[0]?.value) <= 10);
    assert.match((await cloud.kubectl(['get', 'devices'])).trim(), /tank-1 +tank +simulator +edge-1 +Connected/);
    assert.match((await cloud.kubectl(['get', 'devicevalues', 'tank-1'])).trim(), /edge-1 +Connected/);
  });

  test('changes are told as they come, many in the time of one status', async () => {
    const command = join(CHECKOUT, 'bin', 'skerry');
    const env = { ...process.env, SKERRY_DATA_DIR: cloud.dir, SKERRY_KEY_DIR: cloud.keyDir };
    const watching = spawn(command, ['device', 'watch', 'tank-1', '-o', 'json'], {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const levels = new Set<unknown>();
    for await (const line of createInterface({ input: watching.stdout })) {
      const { property, value } = JSON.parse(line) as LiveValue;
      if (property === 'level') levels.add(value);
      if (levels.size === 6) watching.kill('SIGINT');
    }
    assert.ok(levels.size >= 6);
  });

  test('a value that is set is written at the node and confirmed by the device; one out of range is refused', async () => {
    const { code, stdout } = await cloud.skerry(['device', 'set', 'tank-1', 'limit=42', '--wait']);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /limit +42 +Confirmed/);
    const shown = await cloud.skerry(['device', 'show', 'tank-1']);
    assert.match(shown.stdout, /limit +42 +\S+ +Confirmed/);
    await cloud.kubectl(['wait', '--for=condition=InSync', 'device/tank-1', '--timeout=60s']);
    assert.match(await cloud.kubectl(['get', 'devices']), /tank-1 +tank +simulator +edge-1 +Connected +True/);
    const beside = await cloud.skerry(['device', 'get', 'tank-1', 'limit']);
    assert.match(beside.stdout, /limit +42 +42 +- +Good|limit +42 +42 +Good/);
    const refused = await cloud.skerry(['device', 'set', 'tank-1', 'limit=101', '--wait']);
    assert.notEqual(refused.code, 0);
    assert.match(refused.stderr, /must be between 0 and 100/);
  });

  test('a command is called over the link, and answered with its output', async () => {
    const { stdout, stderr } = await cloud.skerry(['device', 'call', 'tank-1', 'echo', 'x=5', '-o', 'json']);
    assert.deepEqual(JSON.parse(stdout || '{}'), { x: 5 }, stderr);
    const wrong = await cloud.skerry(['device', 'call', 'tank-1', 'echo', 'y=5']);
    assert.match(wrong.stderr, /takes no y/);
  });

  test('a change of the model that would break the device is refused and names it', async () => {
    const broken = { ...MODEL, spec: { ...MODEL.spec, properties: MODEL.spec.properties.slice(1) } };
    const { code, stderr } = await cloud.tryKubectl(['apply', '-f', '-'], { input: JSON.stringify(broken) });
    assert.notEqual(code, 0);
    assert.match(stderr, /default\/tank-1/);
    const gone = await cloud.tryKubectl(['delete', 'devicemodel', 'tank']);
    assert.match(gone.stderr, /devices are bound to it: default\/tank-1/);
  });

  test('what listens at the node does so by the site’s identity, and leaves nothing behind', async () => {
    const port = await freePort();
    await cloud.apply(SCALE_SECRET);
    await cloud.apply(BROKER);
    await cloud.apply(scale(port));
    const { endpoints = [], authority = '' } = await eventually('a broker', async () => {
      const { status } = await cloud.get<Broker>(['mqttbroker', 'site']);
      return status?.state === 'Serving' ? status : undefined;
    });
    const broker = connect({ host: '127.0.0.1', port: Number(new URL(endpoints[0] ?? '').port), ca: authority });
    await once(broker, 'secureConnect');
    broker.destroy();
    await eventually('the post is taken', async () => (await post(port, authority)) === 204);
    await eventually('what was posted', async () => {
      const { stdout } = await cloud.skerry(['device', 'get', 'scale-1', '-o', 'json']);
      return (JSON.parse(stdout || '[]') as LiveValue[]).some(({ value }) => value === 2.5);
    });
    const kept = join(edge.dir, 'edge', 'edge-1', 'drivers', 'mqtt');
    assert.ok(readdirSync(kept).some((name) => name.startsWith('default_site_')));
    await cloud.kubectl(['delete', 'device/scale-1', 'mqttbroker/site', 'secret/scale-1']);
    await eventually('what the broker kept is gone', async () => readdirSync(kept).length === 0);
  });

  test('while the link is cut it is driven on, and its values are live at the node’s own API', async () => {
    cable.cut();
    const first = await live(atEdge);
    await eventually('another value', async () => (await live(atEdge))[0]?.time !== first[0]?.time);
    const shown = await atEdge.skerry(['device', 'show', 'tank-1']);
    assert.match(shown.stdout, /State: +Connected/);
    const refused = await cloud.skerry(['device', 'call', 'tank-1', 'echo', 'x=5']);
    assert.match(refused.stderr, /not connected/);
    const local = await atEdge.skerry(['device', 'call', 'tank-1', 'echo', 'x=6', '-o', 'json']);
    assert.deepEqual(JSON.parse(local.stdout || '{}'), { x: 6 }, local.stderr);
    const set = await atEdge.skerry(['device', 'set', 'tank-1', 'limit=43', '--wait']);
    assert.match(set.stdout, /limit +43 +Confirmed/, set.stderr);
    cable.mend();
    await eventually('the cloud sees it again', async () => {
      const { code } = await cloud.skerry(['device', 'get', 'tank-1']);
      return code === 0;
    });
    await eventually('the cloud hears what was set', async () => {
      const { spec, status } = await device();
      return spec.desired?.['limit']?.value === 43 && status?.writes?.['limit']?.result === 'Confirmed';
    });
  });

  test('a worker that is killed is started again, and the agent goes on', async () => {
    const [started] = workerLog().filter(({ msg }) => msg === 'worker started');
    assert.ok(started?.pid !== undefined);
    process.kill(started.pid, 'SIGKILL');
    await eventually(
      'another worker',
      async () => workerLog().filter(({ msg }) => msg === 'worker started').length === 2,
    );
    await eventually('values again', async () => (await live(atEdge)).length === 3);
    assert.equal(edge.process.isRunning, true);
  });

  test('with the last device the worker ends', async () => {
    await cloud.kubectl(['delete', 'device', 'tank-1']);
    await eventually('its end', async () => workerLog().some(({ msg }) => msg === 'worker ended'));
    await cloud.kubectl(['delete', 'devicemodel', 'tank']);
  });
});
