/** Every manifest in examples/ does what its comment says, applied as a user applies it. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { isDeepStrictEqual, promisify } from 'node:util';
import { listenModbus, ModbusServer, ModbusUnit } from '@skerry/devices/simulators';
import { CHECKOUT, eventually, requireSystem, TestCloud, TestEdge } from '@skerry/testkit/processes';

let cloud: TestCloud;
let edges: readonly TestEdge[] = [];

before(async () => {
  cloud = await TestCloud.start();
  edges = await Promise.all(['edge-1', 'edge-2'].map((name) => TestEdge.join(cloud, { name })));
  await cloud.kubectl(['wait', '--for=condition=Ready', 'node', '--all', '--timeout=30s']);
});
after(async () => {
  await Promise.all(edges.map((edge) => edge[Symbol.asyncDispose]()));
  await cloud?.[Symbol.asyncDispose]();
});

const run = promisify(execFile);
const tried = new Set<string>();

function apply(file: string): Promise<string> {
  tried.add(file);
  return cloud.kubectl(['apply', '-f', join(CHECKOUT, 'examples', file)]);
}

function says(pod: string, text: RegExp, ...args: readonly string[]): Promise<string | false> {
  return eventually(`${pod} says ${text}`, async () => {
    const log = await cloud.kubectl(['logs', pod, ...args]);
    return text.test(log) && log;
  });
}

const isReady = (pod: string) => cloud.kubectl(['wait', '--for=condition=Ready', `pod/${pod}`, '--timeout=60s']);

test('deployment.yaml: three copies say where they run', async (t) => {
  if (!requireSystem(t, 'bubblewrap')) return;
  await apply('deployment.yaml');
  await cloud.kubectl(['rollout', 'status', 'deployment/lookout', '--timeout=60s']);
  await says('deployment/lookout', /I am lookout-\S+ on edge-[12]/);
});

test('far.yaml: only edge-2 runs it', async (t) => {
  if (!requireSystem(t, 'bubblewrap')) return;
  await apply('far.yaml');
  await cloud.kubectl(['rollout', 'status', 'deployment/far', '--timeout=60s']);
  const node = await cloud.kubectl(['get', 'pods', '-l', 'app=far', '-o', 'jsonpath={.items[0].spec.nodeName}']);
  assert.equal(node, 'edge-2');
});

test('config-reload.yaml: a changed ConfigMap shows without a restart', async (t) => {
  if (!requireSystem(t, 'bubblewrap')) return;
  await apply('config-reload.yaml');
  await isReady('greeter');
  await says('greeter', /good morning/);
  await cloud.kubectl(['patch', 'configmap', 'greeting', '-p', '{"data":{"text":"good evening"}}']);
  await says('greeter', /good evening/, '--tail=1');
  const restarts = ['get', 'pod', 'greeter', '-o', 'jsonpath={.status.containerStatuses[0].restartCount}'];
  assert.equal(await cloud.kubectl(restarts), '0');
});

test('probes-and-hooks.yaml: a failing probe restarts the program, and the hook mends it', async (t) => {
  if (!requireSystem(t, 'bubblewrap')) return;
  await apply('probes-and-hooks.yaml');
  await isReady('probed');
  await cloud.kubectl(['exec', 'probed', '--', 'rm', '/state/alive']);
  await cloud.kubectl([
    'wait',
    '--for=jsonpath={.status.containerStatuses[0].restartCount}=1',
    'pod/probed',
    '--timeout=60s',
  ]);
  await isReady('probed');
});

test('init-and-sidecar.yaml: the sidecar ships what init container and program wrote', async (t) => {
  if (!requireSystem(t, 'bubblewrap')) return;
  await apply('init-and-sidecar.yaml');
  await isReady('together');
  await says('together', /prepared\n(.*\n)*working/, '-c', 'shipper');
});

test('daemon-set.yaml: one pod on each node', async (t) => {
  if (!requireSystem(t, 'bubblewrap')) return;
  await apply('daemon-set.yaml');
  await cloud.kubectl(['rollout', 'status', 'daemonset/watcher', '--timeout=60s']);
  const nodes = ['get', 'pods', '-l', 'app=watcher', '-o', 'jsonpath={.items[*].spec.nodeName}'];
  assert.deepEqual((await cloud.kubectl(nodes)).split(' ').sort(), ['edge-1', 'edge-2']);
});

test('rbac.yaml: the account reads ConfigMaps and no Secrets at the nearest API', async (t) => {
  if (!requireSystem(t, 'bubblewrap', 'curl')) return;
  await apply('rbac.yaml');
  await isReady('asker');
  await says('asker', /configmaps: 200 secrets: 403/);
});

test('autonomy.yaml: the pod carries its own word', async (t) => {
  if (!requireSystem(t, 'bubblewrap')) return;
  await apply('autonomy.yaml');
  await cloud.kubectl(['rollout', 'status', 'deployment/movable', '--timeout=60s']);
  const word = ['get', 'pods', '-l', 'app=movable', '-o', 'jsonpath={.items[0].metadata.annotations}'];
  assert.match(await cloud.kubectl(word), /"skerry.io\/autonomy-duration":"5m"/);
});

test('custom-resource.yaml and lighthouse.yaml: a kind of your own is defaulted, validated and printed', async () => {
  await apply('custom-resource.yaml');
  await cloud.kubectl(['wait', '--for=condition=Established', 'crd/lighthouses.example.org', '--timeout=30s']);
  await apply('lighthouse.yaml');
  assert.match(await cloud.kubectl(['get', 'lh']), /NAME +RANGE\nouter-rock +18/);
  assert.equal(await cloud.kubectl(['get', 'lh', 'outer-rock', '-o', 'jsonpath={.spec.colour}']), 'white');
  const patch = ['patch', 'lh', 'outer-rock', '--type=merge', '-p', '{"spec":{"rangeMiles":31}}'];
  const { code, stderr } = await cloud.tryKubectl(patch);
  assert.equal(code, 1);
  assert.match(stderr, /should be less than or equal to 30/);
});

test('simulated-tank.yaml: its level moves, and both its values are live', async () => {
  await apply('simulated-tank.yaml');
  const values = () => cloud.skerry(['device', 'get', 'tank-1', '-o', 'json']);
  const levels = new Set<unknown>();
  await eventually('a level that moves', async () => {
    const { code, stdout } = await values();
    if (code !== 0) return false;
    const live = JSON.parse(stdout) as { property: string; value: unknown }[];
    levels.add(live.find(({ property }) => property === 'level')?.value);
    return levels.size > 2 && live.find(({ property }) => property === 'limit')?.value === 8;
  });
});

test('opcua-gateway.yaml: a server that shows the boiler', async () => {
  await apply('opcua-gateway.yaml');
  // Whatever else this machine runs at 4840.
  await cloud.kubectl(['patch', 'opcuaserver', 'hall', '--type=merge', '-p', '{"spec":{"listen":{"port":0}}}']);
  await eventually('a server that serves', async () => {
    const { status } = await cloud.get<{ status?: { state?: string; endpoint?: string; variables?: number } }>([
      'opcuaserver',
      'hall',
    ]);
    const { state, endpoint = '', variables = 0 } = status ?? {};
    // Beside the boiler's two those of whatever else stands in the namespace.
    return state === 'Serving' && variables >= 2 && /^opc\.tcp:\/\/127\.0\.0\.1:\d+/.test(endpoint);
  });
});

test('opcua-press.yaml: a press that does not answer is a device that says so', async () => {
  await apply('opcua-press.yaml');
  // Nobody is at the address of the example, and nothing is to leave this machine.
  const connection = { endpoint: 'opc.tcp://127.0.0.1:1' };
  await cloud.kubectl(['patch', 'device', 'press-1', '--type=merge', '-p', JSON.stringify({ spec: { connection } })]);
  await eventually('why there is no connection', async () => {
    const { status } = await cloud.get<{ status?: { lastError?: { message?: string } | string } }>([
      'device',
      'press-1',
    ]);
    return JSON.stringify(status?.lastError ?? '').includes('127.0.0.1:1');
  });
});

test('mqtt-press.yaml: what a press publishes to the site’s broker is its values', async (t) => {
  await apply('mqtt-press.yaml');
  if (!requireSystem(t, 'mosquitto-clients')) return;
  // Whatever else this machine runs at 1883.
  const listeners = [{ name: 'here', port: 0, security: 'Plain' }];
  await cloud.kubectl(['patch', 'mqttbroker', 'site', '--type=merge', '-p', JSON.stringify({ spec: { listeners } })]);
  const endpoint = await eventually('a broker that serves', async () => {
    const { status } = await cloud.get<{ status?: { endpoints?: readonly string[] } }>(['mqttbroker', 'site']);
    return status?.endpoints?.find((each) => !each.endsWith(':1883')) ?? false;
  });
  const login = ['-h', '127.0.0.1', '-p', new URL(endpoint).port, '-u', 'stamp-1', '-P', 'change-me', '-q', '1'];
  await eventually('its values', async () => {
    await run('mosquitto_pub', [...login, '-t', 'plant/stamp-1/state', '-m', '{"speed": 12.5, "on": true}']);
    const { code, stdout } = await cloud.skerry(['device', 'get', 'stamp-1', '-o', 'json']);
    if (code !== 0) return false;
    const live = JSON.parse(stdout) as { property: string; value: unknown }[];
    const of = (name: string) => live.find(({ property }) => property === name)?.value;
    return of('speed') === 12.5 && of('running') === true;
  });
});

test('modbus-meter.yaml: a meter is read in its own orders and scales, written, and told to do something', async () => {
  const unit = powerMeter();
  await using listening = await listenModbus(new ModbusServer(new Map([[1, unit]])));
  await apply('modbus-meter.yaml');
  const endpoint = { spec: { connection: { endpoint: `tcp://127.0.0.1:${listening.port}` } } };
  await cloud.kubectl(['patch', 'device', 'meter-1', '--type=merge', '-p', JSON.stringify(endpoint)]);
  const expected = {
    voltage: 230.5,
    power: -1500,
    energy: 12_345.67,
    isOverloaded: true,
    label: 'hall north',
    relay: false,
    limit: 400,
  };
  await eventually('its values', async () => {
    const { code, stdout } = await cloud.skerry(['device', 'get', 'meter-1', '-o', 'json']);
    if (code !== 0) return false;
    const live = JSON.parse(stdout) as { property: string; value: unknown }[];
    return isDeepStrictEqual(Object.fromEntries(live.map(({ property, value }) => [property, value])), expected);
  });
  const set = await cloud.skerry(['device', 'set', 'meter-1', 'relay=true', 'limit=900']);
  assert.equal(set.code, 0, set.stderr);
  await eventually('the meter has it', () => unit.coils[0] === 1 && unit.holdingRegisters[21] === 900 % 256);
  const called = await cloud.skerry(['device', 'call', 'meter-1', 'resetEnergy']);
  assert.equal(called.code, 0, called.stderr);
  assert.equal(unit.holdingRegisters[101], 1);
});

/** Holds what the example's visitors look for. */
function powerMeter(): ModbusUnit {
  const unit = new ModbusUnit({ size: 200 });
  const input = new DataView(unit.inputRegisters.buffer);
  input.setFloat32(0, 230.5);
  // -1500, the low word first.
  input.setUint16(4, 0x8000);
  input.setUint16(6, 0xc4bb);
  input.setUint32(8, 1_234_567);
  input.setUint16(12, 0x0004);
  unit.holdingRegisters.set([400 >> 8, 400 & 0xff], 20);
  unit.holdingRegisters.set(Buffer.from('hall north'), 200);
  return unit;
}

test('rules.yaml: averages become series of the node, and what is too much is in its log', async () => {
  await apply('rules.yaml');
  for (const rule of ['power-by-meter', 'too-much']) {
    await eventually(`${rule} runs`, async () => {
      const state = await cloud.kubectl(['get', 'rule', rule, '-o', 'jsonpath={.status.state}']);
      return state === 'Running';
    });
  }
  const { stdout } = await cloud.skerry(['rule', 'list']);
  assert.match(stdout, /default +power-by-meter +Running +1 /);
  const explained = await cloud.skerry(['rule', 'explain', 'power-by-meter']);
  assert.match(explained.stdout, /window .*keeps at most 100000 keys/, explained.stderr);
});

test('outlet.yaml: the outlet runs, and waits for an engine', async () => {
  await apply('outlet.yaml');
  await eventually('its state is told', async () => {
    const state = await cloud.kubectl(['get', 'outlet', 'victoria', '-o', 'jsonpath={.status.state}']);
    return ['Running', 'Waiting'].includes(state);
  });
});

test('route.yaml: values of the tank are in the cloud', async () => {
  await apply('simulated-tank.yaml');
  await apply('route.yaml');
  const query = 'last_over_time(level{device="tank-1",node="edge-1"}[5m])';
  await eventually('the cloud has values', async () => {
    const path = `/telemetry/prometheus/api/v1/query?query=${encodeURIComponent(query)}`;
    return (await cloud.kubectl(['get', '--raw', path])).includes('"value"');
  });
});

test('no example is left untried', (t) => {
  if (!requireSystem(t, 'bubblewrap', 'curl')) return;
  const files = globSync('*.yaml', { cwd: join(CHECKOUT, 'examples') });
  assert.deepEqual([...tried].sort(), files.sort());
});
