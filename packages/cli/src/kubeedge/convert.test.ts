import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deviceCrds } from '@skerry/devices';
import { parseAllDocuments } from 'yaml';
import { convertKubeEdge } from './convert.ts';

const THERMOMETER = `
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: thermometer, namespace: default}
spec:
  protocol: modbus
  properties:
    - {name: temperature, description: in the hall, type: INT, accessMode: ReadOnly, maximum: "100", minimum: "1", unit: degree celsius}
    - {name: is-on, type: BOOLEAN, accessMode: ReadWrite}
    - {name: picture, type: STREAM}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: hall-1, namespace: default, labels: {hall: north}}
spec:
  deviceModelRef: {name: thermometer}
  nodeName: edge-1
  protocol:
    protocolName: modbus
    configData: {ip: 192.0.2.7, port: 1502, slaveID: 3, colour: red}
  properties:
    - name: temperature
      collectCycle: 3000
      reportCycle: 10000
      visitors: {protocolName: modbus, configData: {register: HoldingRegister, offset: 2, limit: 2, scale: 0.1, isRegisterSwap: true}}
    - name: is-on
      desired: {value: "true"}
      visitors: {protocolName: modbus, configData: {register: CoilRegister, offset: 4, limit: 1}}
`;

const convert = (text: string) => convertKubeEdge(parseAllDocuments(text).map((document) => document.toJS() as never));

test('a Modbus device and its model are carried over, and what is left out is named', () => {
  const { objects, left } = convert(THERMOMETER);
  assert.deepEqual(objects, [
    {
      apiVersion: 'devices.skerry.io/v1alpha1',
      kind: 'DeviceModel',
      metadata: { name: 'thermometer' },
      spec: {
        version: '1.0.0',
        properties: [
          { name: 'temperature', type: 'int64', description: 'in the hall', unit: 'Cel', minimum: 1, maximum: 100 },
          { name: 'is_on', type: 'bool', access: 'ReadWrite' },
        ],
      },
    },
    {
      apiVersion: 'devices.skerry.io/v1alpha1',
      kind: 'Device',
      metadata: { name: 'hall-1', namespace: 'default', labels: { hall: 'north' } },
      spec: {
        model: { name: 'thermometer' },
        placement: { nodeName: 'edge-1' },
        protocol: 'modbus',
        connection: { endpoint: 'tcp://192.0.2.7:1502', options: { unit: 3 } },
        visitors: [
          {
            property: 'temperature',
            address: { table: 'HoldingRegister', address: 2 },
            encoding: { type: 'int32', wordOrder: 'little', scale: 0.1 },
            scanClass: '2s',
          },
          { property: 'is_on', address: { table: 'Coil', address: 4 } },
        ],
        desired: { is_on: { value: true } },
      },
    },
  ]);
  assert.deepEqual(left, [
    'DeviceModel default/thermometer: property is-on: is called is_on here',
    'DeviceModel default/thermometer: property picture: there is no type for STREAM',
    'Device default/hall-1: property temperature: reportCycle: spec.reporting.interval is for the whole device',
    'Device default/hall-1: protocol: colour: there is no word for it here',
  ]);
});

test('serial lines and OPC UA keep what they are set to, and passwords are left to a Secret', () => {
  const check = (protocol: object, expected: object, unsaid: readonly string[]) => {
    const device = {
      apiVersion: 'devices.kubeedge.io/v1beta1',
      kind: 'Device',
      metadata: { name: 'd' },
      spec: { protocol },
    };
    const { objects, left } = convertKubeEdge([device]);
    const { protocol: name, connection } = (objects[0]?.['spec'] ?? {}) as Record<string, unknown>;
    assert.deepEqual({ protocol: name, connection }, expected);
    assert.deepEqual(
      left.map((each) => each.split(': ').slice(1, 3).join(': ')),
      unsaid,
    );
  };
  const serial = { serialPort: '/dev/ttyUSB0', baudRate: 9600, dataBits: 8, parity: 'even', stopBits: 1, slaveID: 1 };
  check(
    { protocolName: 'modbus', configData: serial },
    {
      protocol: 'modbus',
      connection: {
        endpoint: 'serial:///dev/ttyUSB0',
        options: { unit: 1, serial: { baudRate: 9600, dataBits: 8, parity: 'Even', stopBits: 1 } },
      },
    },
    [],
  );
  check(
    {
      protocolName: 'opcua',
      configData: {
        url: 'opc.tcp://192.0.2.8:4840',
        password: 'x',
        securityMode: 'Sign',
        securityPolicy: 'Basic256Sha256',
      },
    },
    {
      protocol: 'opcua',
      connection: {
        endpoint: 'opc.tcp://192.0.2.8:4840',
        options: { securityMode: 'Sign', securityPolicy: 'Basic256Sha256' },
      },
    },
    ['protocol: password'],
  );
  check(
    { protocolName: 'ble', configData: { mac: 'aa' } },
    { protocol: 'ble', connection: { options: { mac: 'aa' } } },
    ['protocol: ble'],
  );
});

test('what it makes are kinds that the cloud installs, and anything else is left out by name', () => {
  const kinds = new Set(deviceCrds().map((each) => (each['spec'] as { names: { kind: string } }).names.kind));
  for (const { kind } of convert(THERMOMETER).objects) assert.ok(kinds.has(kind));
  const { objects, left } = convert('{apiVersion: v1, kind: Pod, metadata: {name: p}}');
  assert.deepEqual([objects.length, left.length], [0, 1]);
});
