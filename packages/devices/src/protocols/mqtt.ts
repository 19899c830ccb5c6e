/** MQTT: devices that publish to a broker, the site's own or another, in the payloads that are about. */
import type { FieldError } from '@skerry/api';
import { choice, duration, flag, integer, object, text } from '@skerry/api/definitions';
import { invalid, required } from '../models/field-errors.ts';
import { problemOfFilter, problemOfTopic } from '../mqtt/topics.ts';
import type { DeviceSpec } from '../resources/device.ts';
import type { Protocol } from './protocol.ts';

const TEMPLATE = 'may hold {namespace}, {device} and {property}';
const topic = (what: string) => text(`${what}; ${TEMPLATE}.`, { maxLength: 1024, minLength: 1 });
const qos = (what: string, fallback?: number) =>
  integer(what, { minimum: 0, maximum: 2, ...(fallback === undefined ? {} : { default: fallback }) });
const format = (what: string, fallback?: string) => choice(what, ['Json', 'Cbor', 'Text', 'Raw'], fallback);

export const mqttProtocol: Protocol = {
  name: 'mqtt',
  description: 'Topics of a broker: JSON, CBOR, text, raw bytes or Sparkplug B.',
  options: object('How the broker is spoken to, and what holds for every address that does not say otherwise.', {
    version: choice('Of the protocol; the site’s own broker is reached without it.', ['3.1.1', '5'], '3.1.1'),
    clientId: text('Name of the client; made of the device’s without it.', { maxLength: 128 }),
    keepalive: duration('The connection is looked after so often.', { default: '30s' }),
    persistent: flag('The broker keeps messages of quality 1 and 2 while the connection is gone.', { default: false }),
    sharedGroup: text('Messages are shared among all of this group.', { maxLength: 128, pattern: '^[^/+#]+$' }),
    topic: topic('Where values are published'),
    format: format('What a payload is.', 'Json'),
    qos: qos('Quality of what is subscribed to and published.', 1),
    retainedWait: duration('A reading waits so long for what the broker keeps.', { default: '500ms' }),
    sparkplug: object(
      'The device speaks Sparkplug B: its properties are metrics.',
      {
        group: text('Group id.', { maxLength: 128, pattern: '^[^/+#]+$' }),
        node: text('Edge node id.', { maxLength: 128, pattern: '^[^/+#]+$' }),
        device: text('Device id; the edge node itself without it.', { maxLength: 128, pattern: '^[^/+#]+$' }),
      },
      ['group', 'node'],
    ),
  }),
  address: object('Where the property is.', {
    topic: topic('Topic or filter'),
    format: format('What a payload is.'),
    path: text('Of a field in the payload: `motor.speed`, `values.0`.', { maxLength: 512 }),
    timePath: text('Of a field with the time: milliseconds since 1970, or as RFC 3339.', { maxLength: 512 }),
    metric: text('Name of the Sparkplug metric; the name of the property without it.', { maxLength: 512 }),
    write: object('How it is written; not at all without it, Sparkplug apart.', {
      topic: topic('Where to publish; where it is read without it'),
      format: format('What the payload is; that of what is read without it.'),
      path: text('Of the field that holds the value; the payload is the value without it.', { maxLength: 512 }),
      qos: qos('Quality.'),
      retain: flag('The broker keeps it.', { default: false }),
      confirmTopic: topic('The device answers here; without it the broker’s acknowledgement is enough'),
    }),
  }),
  scan: object('Which topics may be listened to.', {
    filter: text('Filter.', { maxLength: 1024, minLength: 1, default: '#' }),
    duration: duration('For so long.', { default: '10s' }),
  }),
  check: checkDevice,
};

function checkDevice({ connection = {}, visitors = [] }: DeviceSpec): readonly FieldError[] {
  const options = connection.options ?? {};
  const errors: FieldError[] = [];
  if (connection.endpoint === undefined && connection.broker === undefined)
    errors.push(
      required('spec.connection.endpoint', 'mqtt://HOST:PORT or mqtts://HOST:PORT, or a broker in its place'),
    );
  if (connection.endpoint !== undefined && !/^mqtts?:\/\/[^/]+$/.test(connection.endpoint))
    errors.push(
      invalid('spec.connection.endpoint', connection.endpoint, 'is neither mqtt://HOST:PORT nor mqtts://HOST:PORT'),
    );
  if (options['sparkplug'] !== undefined) return errors;
  for (const [at, { address }] of visitors.entries()) {
    const path = `spec.visitors[${at}].address`;
    const read = address['topic'] ?? options['topic'];
    if (typeof read !== 'string') errors.push(required(`${path}.topic`, 'neither here nor in connection.options'));
    else errors.push(...problemAt(`${path}.topic`, read, problemOfFilter(read)));
    const written = (address['write'] as { readonly topic?: string } | undefined)?.topic ?? '';
    if (written !== '') errors.push(...problemAt(`${path}.write.topic`, written, problemOfTopic(written)));
  }
  return errors;
}

function problemAt(path: string, value: string, problem: string | undefined): readonly FieldError[] {
  return problem === undefined ? [] : [invalid(path, value, problem)];
}
