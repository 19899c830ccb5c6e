/** A Modbus meter that any OPC UA client reads and writes, encrypted: cloud, node, worker, gateway, a client from outside. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { makePair, type Pair, readOpcUa, serversAt, visit, writeOpcUa } from '@skerry/devices/opcua-client';
import { type ListeningServer, listenModbus, ModbusServer, ModbusUnit } from '@skerry/devices/simulators';
import { eventually, TestCloud, TestEdge } from '@skerry/testkit/processes';

const API = 'devices.skerry.io/v1alpha1';

const MODEL = {
  apiVersion: API,
  kind: 'DeviceModel',
  metadata: { name: 'meter' },
  spec: {
    version: '1.0.0',
    properties: [
      { name: 'power', type: 'uint16', unit: 'W', minimum: 0, maximum: 60_000 },
      { name: 'limit', type: 'uint16', unit: 'W', access: 'ReadWrite', minimum: 0, maximum: 50_000 },
    ],
  },
};

const inNamespace = (kind: string, name: string, spec: object) => ({
  apiVersion: API,
  kind,
  metadata: { name, namespace: 'default' },
  spec,
});

const meter = (port: number, more: readonly object[] = [], name = 'meter-1') =>
  inNamespace('Device', name, {
    model: { name: 'meter' },
    protocol: 'modbus',
    placement: { nodeName: 'edge-1' },
    connection: { endpoint: `tcp://127.0.0.1:${port}` },
    visitors: [
      { property: 'power', address: { table: 'InputRegister', address: 0 }, scanClass: '50ms' },
      { property: 'limit', address: { table: 'HoldingRegister', address: 7 }, scanClass: '100ms' },
      ...more,
    ],
  });

const SERVER = inNamespace('OpcUaServer', 'hall', {
  placement: { nodeName: 'edge-1' },
  listen: { port: 0 },
  security: { policies: ['Aes256_Sha256_RsaPss'], trustList: 'clients' },
  authentication: {
    users: [
      { name: 'olga', password: { name: 'people', key: 'olga' } },
      { name: 'omar', password: { name: 'people', key: 'omar' }, role: 'Operator' },
    ],
  },
});

interface Status {
  readonly state?: string;
  readonly lastError?: string;
  readonly endpoint?: string;
  readonly devices?: number;
  readonly processes?: number;
  readonly shards?: readonly {
    readonly endpoint?: string;
    readonly applicationUri?: string;
    readonly devices?: number;
  }[];
  readonly rejectedCertificates?: readonly {
    readonly subject?: string;
    readonly reason?: string;
    readonly pem?: string;
  }[];
}

suite('devices as OPC UA', () => {
  const unit = new ModbusUnit({ size: 16 });
  let cloud: TestCloud;
  let edge: TestEdge;
  let device: ListeningServer;
  let scada: Pair;
  let endpoint = '';

  before(async () => {
    device = await listenModbus(new ModbusServer(new Map([[1, unit]])), {});
    scada = await makePair('scada');
    cloud = await TestCloud.start();
    edge = await TestEdge.join(cloud, { name: 'edge-1' });
    unit.inputRegisters.set([0x12, 0x34], 0);
  });
  after(async () => {
    await edge?.[Symbol.asyncDispose]();
    await cloud?.[Symbol.asyncDispose]();
    await device?.[Symbol.asyncDispose]();
  });

  const log = (worker: string) =>
    readFileSync(join(edge.dir, 'edge.log'), 'utf8')
      .split('\n')
      .filter((line) => line.includes(`"worker":"${worker}"`))
      .map((line) => JSON.parse(line) as { readonly msg: string; readonly pid?: number });
  const started = (worker: string) => log(worker).filter(({ msg }) => msg === 'worker started');

  const status = async () => (await cloud.get<{ readonly status?: Status }>(['opcuaserver', 'hall'])).status ?? {};
  const olga = () => ({
    endpoint,
    pair: scada,
    name: 'scada',
    policy: POLICY,
    person: { name: 'olga', password: 'reads' },
  });
  const omar = () => ({ ...olga(), person: { name: 'omar', password: 'writes' } });
  const POLICY = 'http://opcfoundation.org/UA/SecurityPolicy#Aes256_Sha256_RsaPss' as never;
  const read = (property: string) => readOpcUa(olga(), `ns=2;s=meter-1/${property}`);

  /** The server's port is any that is free; it is another one after each start. */
  const serving = () =>
    eventually('a server that serves', async () => {
      const { state, endpoint: at = '', devices } = await status();
      if (state !== 'Serving' || devices !== 1) return false;
      endpoint = at;
      return true;
    });

  test('nothing listens and no gateway runs before an OpcUaServer is there', async () => {
    await cloud.apply(MODEL);
    await cloud.apply(meter(device.port));
    await eventually('the data worker', async () => started('data').length === 1);
    assert.deepEqual(started('opcua-gateway'), []);
  });

  test('what it names and is not there stands in its status', async () => {
    await cloud.apply(SERVER);
    await eventually('a reason', async () => /"clients"|"people"/.test((await status()).lastError ?? ''));
  });

  test('a client that is not trusted is refused in words, and accepted once its certificate is in the TrustList', async () => {
    const people = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'people', namespace: 'default' },
      stringData: { olga: 'reads', omar: 'writes' },
    };
    await cloud.apply(people);
    await cloud.apply(inNamespace('TrustList', 'clients', {}));
    await serving();
    await assert.rejects(read('power'));
    const refused = await eventually('the refused certificate', async () => (await status()).rejectedCertificates?.[0]);
    assert.equal(refused.subject, 'CN=scada');
    assert.match(refused.reason ?? '', /not in the trust list/);
    await cloud.apply(inNamespace('TrustList', 'clients', { trusted: [{ name: 'scada', pem: refused.pem }] }));
    await eventually('a reading', async () => (await read('power').catch(() => undefined))?.status === 'Good');
  });

  test('nobody comes without a name, or with another policy than is offered', async () => {
    const { person: _person, policy: _policy, ...anonymous } = olga();
    await assert.rejects(visit({ ...anonymous, policy: POLICY }, async () => {}));
    await assert.rejects(readOpcUa({ ...anonymous, person: olga().person }, 'ns=2;s=meter-1/power'));
  });

  test('the meter is read, encrypted, as it changes', async () => {
    assert.equal((await read('power')).value, 0x1234);
    unit.inputRegisters.set([0x43, 0x21], 0);
    await eventually('the new value', async () => (await read('power')).value === 0x4321);
    assert.ok((await read('power')).sourceTime > 1_700_000_000_000);
  });

  test('an operator’s write goes through the twin to the device, and is confirmed by it', async () => {
    await eventually('a limit', async () => (await read('limit')).status === 'Good');
    assert.equal(await writeOpcUa(omar(), 'ns=2;s=meter-1/limit', 1234), 'Good');
    assert.deepEqual([...unit.holdingRegisters.subarray(14, 16)], [0x04, 0xd2]);
    await eventually('what the device says', async () => (await read('limit')).value === 1234);
    assert.equal(await writeOpcUa(olga(), 'ns=2;s=meter-1/limit', 1), 'BadUserAccessDenied');
    assert.equal(await writeOpcUa(omar(), 'ns=2;s=meter-1/limit', 60_000), 'BadOutOfRange');
    assert.deepEqual([...unit.holdingRegisters.subarray(14, 16)], [0x04, 0xd2]);
  });

  test('a property that the model gains is there without a restart', async () => {
    const properties = [...MODEL.spec.properties, { name: 'hours', type: 'uint16', unit: 'h' }];
    await cloud.apply({ ...MODEL, spec: { version: '1.1.0', properties } });
    unit.inputRegisters.set([0, 77], 6);
    await cloud.apply(meter(device.port, [{ property: 'hours', address: { table: 'InputRegister', address: 3 } }]));
    await eventually('the new property', async () => (await read('hours').catch(() => undefined))?.value === 77);
    assert.equal(started('opcua-gateway').length, 1);
  });

  test('a gateway that dies comes back, and nobody else feels it', async () => {
    const [gateway] = started('opcua-gateway');
    assert.ok(gateway?.pid !== undefined);
    process.kill(gateway.pid, 'SIGKILL');
    await eventually('another gateway', async () => started('opcua-gateway').length === 2);
    await eventually('a reading', async () => {
      endpoint = (await status()).endpoint ?? '';
      return (await read('power').catch(() => undefined))?.status === 'Good';
    });
    assert.equal(started('data').length, 1);
    assert.equal(edge.process.isRunning, true);
  });

  /** The endpoints of a server that has two processes, with one device each. */
  const sharing = () =>
    eventually('two processes that share two devices', async () => {
      const { state, processes, shards = [] } = await status();
      const isShared = shards.length === 2 && shards.every(({ devices }) => devices === 1);
      return state === 'Serving' && processes === 2 && isShared && shards.map(({ endpoint: at = '' }) => at);
    });
  const readAt = async (at: string, device: string) =>
    (await readOpcUa({ ...olga(), endpoint: at }, `ns=2;s=${device}/power`).catch(() => undefined))?.status;
  /** Each device at one of them, and at no other. */
  const isRead = async (endpoints: readonly string[], device: string) => {
    const seen = await Promise.all(endpoints.map((at) => readAt(at, device)));
    return seen.filter((each) => each === 'Good').length === 1 && seen.includes('BadNodeIdUnknown');
  };
  const childrenOf = (pid: number) => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');

  test('two processes share the devices; the first names the other to whoever looks for servers', async () => {
    await cloud.apply(meter(device.port, [], 'meter-2'));
    await cloud.apply({ ...SERVER, spec: { ...SERVER.spec, shards: 2 } });
    const endpoints = await sharing();
    const { endpoint: first = '', shards = [] } = await status();
    assert.equal(first, endpoints[0]);
    assert.deepEqual(
      [...(await serversAt(first)).keys()],
      shards.map(({ applicationUri }) => applicationUri),
    );
    assert.deepEqual([...(await serversAt(first)).values()].map(portIn), endpoints.map(portIn));
    for (const name of ['meter-1', 'meter-2'])
      await eventually(`what ${name} says at one of them`, () => isRead(endpoints, name));
  });

  test('a process that dies comes back with its share', async () => {
    const pid = started('opcua-gateway').at(-1)?.pid ?? 0;
    const [shard = ''] = childrenOf(pid);
    process.kill(Number(shard), 'SIGKILL');
    await eventually('another process', async () => ![shard, ''].includes(childrenOf(pid)[0] ?? ''));
    for (const name of ['meter-1', 'meter-2'])
      await eventually(`what ${name} says at one of them`, async () => isRead(await sharing(), name));
    await cloud.kubectl(['delete', 'device', 'meter-2']);
  });

  test('with the OpcUaServer the gateway ends', async () => {
    await cloud.kubectl(['delete', 'opcuaserver', 'hall']);
    await eventually('its end', async () => log('opcua-gateway').some(({ msg }) => msg === 'worker ended'));
    await assert.rejects(read('power'));
    await cloud.kubectl(['delete', 'device', 'meter-1']);
  });
});

function portIn(url: string): string {
  return /:(\d+)/.exec(url)?.[1] ?? '';
}
