/** `skerry import kubeedge` with a plant's manifests: what is printed, what is said, and that a real cloud takes it. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { CHECKOUT, TestCloud } from '@skerry/testkit/processes';

const PLANT = join(CHECKOUT, 'packages', 'cli', 'src', 'kubeedge', 'testing', 'plant.yaml');

let cloud: TestCloud;

before(async () => {
  cloud = await TestCloud.start();
});
after(async () => {
  await cloud?.[Symbol.asyncDispose]();
});

interface Device {
  readonly spec: { readonly connection: { readonly endpoint: string }; readonly visitors: readonly object[] };
}

test('what has no place here is said by name, one thing a line, and how many they are', async () => {
  const { code, stdout, stderr } = await cloud.skerry(['import', 'kubeedge', PLANT]);
  assert.equal(code, 0, stderr);
  assert.equal(stdout.match(/^kind: Device$/gm)?.length, 4);
  assert.deepEqual(
    stderr
      .trim()
      .split('\n')
      .map((line) => line.replace(/^skerry: (not carried over: )?/, '')),
    [
      'Device boiler-1: property temperature: pushMethod: values go on the data bus, and rules send them on',
      'Device boiler-1: property temperature: reportCycle: spec.reporting.interval is for the whole device',
      'Device boiler-1: protocol: serialPort: 1 is no path: connection.endpoint names /dev/ttyS0',
      'DeviceModel greenhouse: property fan-switch: is called fan_switch here',
      'DeviceModel greenhouse: property saveVideo: there is no type for STREAM',
      'Device greenhouse-1: property temperature: reportCycle: spec.reporting.interval is for the whole device',
      'Device greenhouse-1: property temperature: min: the range is in the model',
      'Device greenhouse-1: property temperature: max: the range is in the model',
      'Device greenhouse-1: method switchFan: it sets properties: skerry device set greenhouse-1 fan_switch=…',
      'DeviceModel hall: property humidity: unit: furlong is no UCUM code that is known here',
      'Device hall-1: property humidity: pushMethod: values go on the data bus, and rules send them on',
      'Device hall-1: property humidity: reportToCloud: what is read is reported',
      'Device hall-1: property humidity: userName: belongs into a Secret that connection.secretName names',
      'Device hall-1: property humidity: password: belongs into a Secret that connection.secretName names',
      'Device hall-1: property humidity: qos: connection.options says it for the whole device',
      'Device hall-1: property humidity: retain: connection.options says it for the whole device',
      'Device hall-1: property humidity: clientId: connection.options says it for the whole device',
      'Device lamp-1: property brightness: browseName: there is no word for it here',
      ...['userName', 'password', 'certificate', 'privateKey', 'remoteCertificate'].map(
        (name) =>
          `Device lamp-1: protocol: ${name}: belongs into a Secret that connection.secretName names, or into a TrustList`,
      ),
      '4 DeviceModels and 4 Devices; 23 things have no place here',
    ],
  );
});

test('what it makes a cloud takes, again and again', async () => {
  for (const _attempt of ['first', 'again']) {
    const { code, stdout, stderr } = await cloud.skerry(['import', 'kubeedge', PLANT, '--apply']);
    assert.equal(code, 0, stderr);
    assert.equal(stdout.match(/^devices\/\S+ applied$/gm)?.length, 4);
  }
  const endpoints = await Promise.all(
    ['boiler-1', 'greenhouse-1', 'hall-1', 'lamp-1'].map(async (name) => {
      const { spec } = await cloud.get<Device>(['device', name]);
      return [spec.connection.endpoint, spec.visitors.length];
    }),
  );
  assert.deepEqual(endpoints, [
    ['serial:///dev/ttyS0', 1],
    ['tcp://192.0.2.3:5502', 2],
    ['mqtt://192.0.2.10:1883', 1],
    ['opc.tcp://192.0.2.12:4840', 1],
  ]);
  assert.match(
    await cloud.kubectl(['get', 'device', 'boiler-1', '-o', 'jsonpath={.spec.visitors[0].scanClass}']),
    /^10s$/,
  );
});
