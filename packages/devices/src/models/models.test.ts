import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkDeviceWrite, type DeviceWrite } from '../cloud/admission.ts';
import type { Device, DeviceSpec } from '../resources/device.ts';
import type { DeviceModel, DeviceModelSpec } from '../resources/device-model.ts';
import type { MqttBroker, MqttBrokerSpec } from '../resources/mqtt-broker.ts';
import type { OpcUaServer } from '../resources/opcua-server.ts';
import { resolveModel } from './resolve-model.ts';

const API = 'devices.skerry.io/v1alpha1';

function model(name: string, spec: DeviceModelSpec): DeviceModel {
  return { apiVersion: API, kind: 'DeviceModel', metadata: { name }, spec };
}

function device(name: string, spec: Partial<DeviceSpec>): Device {
  const whole = { model: { name: 'meter' }, protocol: 'simulator', ...spec };
  return { apiVersion: API, kind: 'Device', metadata: { name, namespace: 'plant' }, spec: whole };
}

const METER: DeviceModelSpec = {
  version: '1.0.0',
  properties: [
    { name: 'power', type: 'float32', unit: 'kW', minimum: 0, maximum: 100 },
    { name: 'limit', type: 'float32', unit: 'kW', access: 'ReadWrite', minimum: 0, maximum: 50 },
    {
      name: 'mode',
      type: 'uint8',
      access: 'ReadWrite',
      enum: [
        { value: 0, name: 'off' },
        { value: 1, name: 'on' },
      ],
    },
  ],
  commands: [{ name: 'reset' }],
};

const SINE = { signal: 'Sine' };

interface World {
  readonly models?: readonly DeviceModel[];
  readonly devices?: readonly Device[];
  readonly brokers?: readonly MqttBroker[];
  readonly servers?: readonly OpcUaServer[];
}

/** The paths of what is wrong with a write, or a pattern that its one sentence matches. */
function check(
  write: Partial<DeviceWrite>,
  expected: readonly string[] | RegExp,
  { models = [], devices = [], brokers = [], servers = [] }: World = {},
): void {
  const { object, operation = 'CREATE' } = write;
  assert.ok(object !== undefined);
  const errors = checkDeviceWrite(
    { operation, kind: object.kind, object, ...(write.old === undefined ? {} : { old: write.old }) },
    {
      model: (name) => models.find(({ metadata }) => metadata.name === name),
      models: () => models,
      devices: () => devices,
      brokers: () => brokers,
      servers: () => servers,
    },
  );
  if (!(expected instanceof RegExp))
    assert.deepEqual(
      errors.map(({ path }) => path),
      expected,
    );
  else assert.match(errors.map(({ message }) => message).join('; '), expected);
}

const METERS = { models: [model('meter', METER)] };

test('a model inherits, and may say the same more closely', () => {
  const base = model('base', { structs: [{ name: 'Point', fields: [{ name: 'x', type: 'float32' }] }], ...METER });
  const child = model('child', {
    extends: 'base',
    properties: [
      { name: 'power', type: 'float32', unit: 'kW', description: 'of all phases' },
      { name: 'where', type: 'Point' },
    ],
  });
  check({ object: child }, [], { models: [base] });
  const models = new Map([base, child].map((each) => [each.metadata.name, each]));
  const resolved = resolveModel('child', (name) => models.get(name));
  assert.ok(typeof resolved !== 'string');
  assert.deepEqual([...resolved.properties.keys()], ['power', 'limit', 'mode', 'where']);
  assert.deepEqual(
    [resolved.properties.get('power')?.declaredBy, resolved.properties.get('limit')?.declaredBy, resolved.lineage],
    ['child', 'base', ['child', 'base']],
  );
});

test('a model cannot extend what is not there, itself, or in a circle', () => {
  check({ object: model('a', { extends: 'b' }) }, /Not found: "b"/);
  check({ object: model('a', { extends: 'a' }) }, /the model itself/);
  check({ object: model('a', { extends: 'b' }) }, /extends a itself/, {
    models: [model('a', {}), model('b', { extends: 'a' })],
  });
  const long = Array.from({ length: 20 }, (_, at) => model(`m${at}`, at === 0 ? {} : { extends: `m${at - 1}` }));
  check({ object: model('z', { extends: 'm19' }) }, /more than 16/, { models: long });
});

test('an inherited property keeps its type and its unit', () =>
  check(
    { object: model('child', { extends: 'meter', properties: [{ name: 'power', type: 'int16', unit: 'W' }] }) },
    ['spec.properties[0].type', 'spec.properties[0].unit'],
    METERS,
  ));

test('types, units, ranges, enumerations and defaults of a model must make sense', () =>
  check(
    {
      object: model('odd', {
        structs: [{ name: 'Loop', fields: [{ name: 'next', type: 'Loop' }] }],
        properties: [
          { name: 'a', type: 'float' },
          { name: 'b', type: 'float32', unit: 'celsius' },
          { name: 'c', type: 'float32', minimum: 2, maximum: 1 },
          { name: 'd', type: 'string', enum: [{ value: 1, name: 'x' }] },
          { name: 'e', type: 'uint8', default: 256 },
          { name: 'f', type: 'uint8', maximum: 10, default: 11 },
          { name: 'g', type: 'string', minimum: 1 },
          { name: 'h', type: 'bool', deadband: { absolute: 1 } },
        ],
        commands: [{ name: 'go', input: [{ name: 'x', type: 'nothing' }] }],
      }),
    },
    [
      'spec.structs[0]',
      'spec.properties[0].type',
      'spec.properties[1].unit',
      'spec.properties[2].minimum',
      'spec.properties[3].enum',
      'spec.properties[4].default',
      'spec.properties[5].default',
      'spec.properties[6].minimum',
      'spec.properties[7].deadband',
      'spec.commands[0].input[0].type',
    ],
  ));

test('a version goes forward', () => {
  const old = model('meter', METER);
  const change = (version: string | undefined) => {
    const { version: _version, ...spec } = METER;
    const next = model('meter', { ...spec, description: 'new', ...(version === undefined ? {} : { version }) });
    return { operation: 'UPDATE', object: next, old } as const;
  };
  check(change('1.0.0'), []);
  check(change('1.10.0'), []);
  check(change('0.9.9'), /must be above 1\.0\.0/);
  check(change(undefined), /cannot be taken back/);
});

test('a device names what its model has, in the terms of its protocol', () => {
  check(
    {
      object: device('m1', {
        visitors: [{ property: 'power', address: SINE }],
        commands: [{ name: 'reset', address: {} }],
      }),
    },
    [],
    METERS,
  );
  check(
    {
      object: device('m1', {
        visitors: [
          { property: 'current', address: SINE },
          { property: 'power', address: { signal: 'Sinus', speed: 1 } },
          { property: 'limit', address: SINE, encoding: { expression: 'y' } },
        ],
        commands: [{ name: 'explode', address: {} }],
        connection: { options: { fault: 'Fire' } },
        reporting: { interval: '10ms' },
      }),
    },
    [
      'spec.visitors[0].property',
      'spec.visitors[2].encoding',
      'spec.commands[0].name',
      'spec.connection.options.fault',
      'spec.visitors[1].address.signal',
      'spec.visitors[1].address.speed',
      'spec.reporting.interval',
    ],
    METERS,
  );
});

test('what is desired must be writable, of the type, in the range and in the enumeration', () => {
  const desired = (name: string, value: unknown) => ({ object: device('m1', { desired: { [name]: { value } } }) });
  check(desired('limit', 10), [], METERS);
  check(desired('mode', 1), [], METERS);
  check(desired('power', 10), /read-only/, METERS);
  check(desired('limit', 51), /between 0 and 50/, METERS);
  check(desired('limit', 'much'), /must be float32/, METERS);
  check(desired('mode', 2), /one of 0, 1/, METERS);
  check(desired('nothing', 2), /Not found/, METERS);
});

test('what is written cannot be found by an expression that has no inverse', () => {
  const visitor = { property: 'limit', address: SINE, encoding: { expression: 'x * 2' } };
  check({ object: device('m1', { visitors: [visitor] }) }, ['spec.visitors[0].encoding.writeExpression'], METERS);
});

test('a device may come before its model, and with a driver that only its node knows', () =>
  check({ object: device('m1', { protocol: 'ours', visitors: [{ property: 'x', address: { any: 1 } }] }) }, []));

test('a change that breaks bound devices is refused with their names; one that does not is not', () => {
  const bound = [
    device('m1', { visitors: [{ property: 'power', address: SINE }] }),
    device('m2', { visitors: [{ property: 'limit', address: SINE }], desired: { limit: { value: 40 } } }),
    device('other', { model: { name: 'else' } }),
  ];
  const world = { ...METERS, devices: bound };
  const old = model('meter', METER);
  const [power, limit, mode] = METER.properties ?? [];
  assert.ok(power !== undefined && limit !== undefined && mode !== undefined);
  const change = (spec: DeviceModelSpec) =>
    ({ operation: 'UPDATE', object: model('meter', { ...METER, ...spec }), old }) as const;
  check(change({ properties: [power, limit] }), [], world);
  check(change({ properties: [power, limit, mode, { name: 'more', type: 'bool' }] }), [], world);
  check(change({ properties: [limit, mode] }), /plant\/m1 .*Not found/, world);
  check(
    change({ properties: [{ ...power, type: 'float64' }, limit] }),
    /m1 \(power would be float64 instead of float32\)/,
    world,
  );
  check(change({ properties: [{ ...power, unit: 'W' }, limit] }), /in W instead of kW/, world);
  check(change({ properties: [power, { ...limit, maximum: 30 }] }), /^(?!.*m1).*m2/, world);
});

test('a change of a base is held against the devices of what extends it', () => {
  const models = [model('base', METER), model('meter', { extends: 'base' })];
  const devices = [device('m1', { visitors: [{ property: 'power', address: SINE }] })];
  const write = { operation: 'UPDATE', object: model('base', {}), old: model('base', METER) } as const;
  check({ ...write, object: model('base', { version: '2.0.0' }) }, /plant\/m1/, { models, devices });
});

test('a model that something needs is not deleted', () => {
  const gone = { operation: 'DELETE', object: model('meter', METER) } as const;
  check(gone, [], METERS);
  check(gone, /devices are bound to it: plant\/m1/, { ...METERS, devices: [device('m1', {})] });
  check(gone, /models extend it: child/, { models: [...METERS.models, model('child', { extends: 'meter' })] });
});

test('many broken devices are counted, not listed', () => {
  const devices = Array.from({ length: 30 }, (_, at) => device(`m${at}`, {}));
  check({ operation: 'DELETE', object: model('meter', METER) }, /m19 and 10 more/, { ...METERS, devices });
});

test('a device that was out of order before is no reason to refuse', () => {
  const devices = [device('m1', { visitors: [{ property: 'nothing', address: SINE }] })];
  const write = {
    operation: 'UPDATE',
    object: model('meter', { ...METER, description: 'new' }),
    old: model('meter', METER),
  } as const;
  check(write, [], { ...METERS, devices });
});

function broker(spec: MqttBrokerSpec, name = 'site'): MqttBroker {
  const placed = { placement: { nodeName: 'edge-1' }, ...spec };
  return { apiVersion: API, kind: 'MqttBroker', metadata: { name, namespace: 'plant' }, spec: placed };
}

const PASSWORD = { name: 'secret', key: 'password' };

test('what an MqttBroker says of its users is held against what can come of it', () => {
  const users = (...given: NonNullable<MqttBrokerSpec['users']>) => ({ object: broker({ users: given }) });
  check(users({ name: 'press', password: PASSWORD, publish: ['plant/%u/#'], subscribe: ['+/%c', '#'] }), []);
  check(users({ name: 'press', password: PASSWORD, publish: ['plant/#/x', 'a+/b', '$SYS/x', 'plant/%d'] }), [
    'spec.users[0].publish[0]',
    'spec.users[0].publish[1]',
    'spec.users[0].publish[2]',
    'spec.users[0].publish[3]',
  ]);
  check(users({ name: 'press', password: PASSWORD, subscribe: ['$SYS/#'] }), []);
  check(users({ name: 'press' }), /no listener has a trustList/);
  check(users({ name: 'anonymous', publish: ['a'] }), /nobody can come/);
  check({ object: broker({ anonymous: true, users: [{ name: 'anonymous', publish: ['a'] }] }) }, []);
  check({ object: broker({ listeners: [{ name: 'tls', trustList: 'plant' }], users: [{ name: 'press' }] }) }, []);
});

test('what an MqttBroker says of its listeners is held against itself', () => {
  const listeners = (...given: NonNullable<MqttBrokerSpec['listeners']>) => ({ object: broker({ listeners: given }) });
  check(listeners({ name: 'a', hostnames: ['broker.example', '10.0.0.5', '*.plant.example'] }), []);
  check(listeners({ name: 'a', security: 'Plain', certificateSecretName: 'x', trustList: 'y' }), [
    'spec.listeners[0].certificateSecretName',
    'spec.listeners[0].trustList',
  ]);
  check(listeners({ name: 'a', address: 'plant', hostnames: ['a b'] }), [
    'spec.listeners[0].address',
    'spec.listeners[0].hostnames[0]',
  ]);
  check(listeners({ name: 'a' }, { name: 'b', port: 8883 }), /listener a has it at the same address/);
  check(listeners({ name: 'a' }, { name: 'b', address: '10.0.0.5' }), []);
  check(listeners({ name: 'a' }, { name: 'b', address: '0.0.0.0' }), ['spec.listeners[1].port']);
  check(listeners({ name: 'a', port: 0 }, { name: 'b', port: 0 }), []);
});

test('an MqttBroker takes no port that another object has at its node', () => {
  const mine = broker({ listeners: [{ name: 'a', port: 4840 }] });
  const other = broker({ listeners: [{ name: 'a', port: 4840 }] }, 'other');
  const server = (nodes: readonly string[]): OpcUaServer => ({
    apiVersion: API,
    kind: 'OpcUaServer',
    metadata: { name: 'ua', namespace: 'plant' },
    spec: { placement: { nodeSelector: { role: 'edge' } } },
    status: { nodes },
  });
  check({ object: mine }, /MqttBroker plant\/other has it at node edge-1/, { brokers: [mine, other] });
  check({ object: mine }, /OpcUaServer plant\/ua has it at node edge-1/, { servers: [server(['edge-2', 'edge-1'])] });
  check({ object: mine }, [], { brokers: [mine], servers: [server(['edge-2'])] });
  check({ operation: 'UPDATE', object: mine, old: mine }, [], { brokers: [mine, other] });
});

test('a device that posts needs neither endpoint nor path, but a secret unless it is to have none', () => {
  const posting = (webhook: object, more: object = {}, mode: 'Poll' | 'Subscribe' = 'Subscribe') =>
    device('press', {
      protocol: 'http',
      connection: { options: { webhook: { path: '/press', ...webhook } }, ...more },
      visitors: [{ property: 'power', mode, address: { field: 'power' } }],
    });
  const world = { models: [model('meter', METER)] };
  check({ object: posting({}, { secretName: 'press' }) }, [], world);
  check({ object: posting({}, { secretName: 'press' }, 'Poll') }, [], world);
  check({ object: posting({}) }, ['spec.connection.secretName'], world);
  check({ object: posting({ authentication: 'None' }) }, [], world);
  check(
    { object: posting({ authentication: 'Nobody' }, { secretName: 'press' }) },
    /authentication: Unsupported value/,
    world,
  );
  check({ object: posting({ authentication: 'None', address: 'plant' }) }, /is no IP address/, world);
  const asked = device('press', {
    protocol: 'http',
    connection: { endpoint: 'http://192.0.2.1' },
    visitors: [{ property: 'power', address: { field: 'power' } }],
  });
  check({ object: asked }, /the connection has no webhook/, world);
  const both = posting({ authentication: 'None' }, { endpoint: 'http://192.0.2.1' });
  const visitors = [{ property: 'power', mode: 'Subscribe' as const, address: { path: '/power' } }];
  check({ object: { ...both, spec: { ...both.spec, visitors } } }, ['spec.visitors[0].mode'], world);
});

test('a pattern is one that RE2 knows, and every other is refused in words', () => {
  const matching = (match: string, address: Readonly<Record<string, unknown>> = { path: '/' }) =>
    device('scale', {
      protocol: address['path'] === undefined ? 'text-lines' : 'http',
      connection: { endpoint: address['path'] === undefined ? 'tcp://192.0.2.1:4001' : 'http://192.0.2.1' },
      visitors: [{ property: 'power', address: { ...address, match } }],
    });
  const line = { request: 'P?', acknowledge: '^OK$' };
  for (const address of [{ path: '/' }, line]) {
    check({ object: matching('P=(?<value>[0-9.]+)$', address) }, [], METERS);
    check({ object: matching('(?=P)', address) }, /match: Invalid value: .*as RE2 knows them: .*Perl syntax/, METERS);
    check({ object: matching('(', address) }, ['spec.visitors[0].address.match'], METERS);
    check({ object: matching('((a{1,30}){1,30})+b', address) }, /repeats too much/, METERS);
  }
  const backwards = { ...line, acknowledge: String.raw`(OK) \1` };
  check({ object: matching('P', backwards) }, ['spec.visitors[0].address.acknowledge'], METERS);
});
