/** Messages of a broker. */
import { messageOf } from '@skerry/base';
import type { MqttClient } from 'mqtt';
import type { StreamSpec } from '../../kinds/stream.ts';
import { connectMqtt } from '../mqtt.ts';
import type { Source, SourceContext, SourceTarget } from './source.ts';
import { messageTaker } from './take-message.ts';

export function openMqtt(spec: StreamSpec, target: SourceTarget, context: SourceContext): Source {
  const { server = '', topic = '', qos = 1, version = '3.1.1', clientId } = spec.source.mqtt ?? {};
  const take = messageTaker(spec, target);
  const opening = connectMqtt({
    server,
    version,
    clientId: clientId ?? `skerry-${context.namespace}-${context.name}`,
    isKept: qos > 0,
    secret: context.secret,
  });
  const listening = opening.then((client) => {
    listen(client, target, server);
    client.on('message', (from, payload) => take(payload.toString('utf8'), { topic: from }));
    client.on('connect', () => {
      client.subscribe(topic, { qos: qos as 0 | 1 | 2 }, (error, granted = []) => {
        const isRefused = granted.some((each) => each.qos >= REFUSED);
        if (error !== null || isRefused) target.problem(`the broker ${server} refuses ${topic}`);
        else target.problem(undefined);
      });
    });
    return client;
  });
  listening.catch((error: unknown) => target.problem(`no connection to ${server}: ${messageOf(error)}`));
  return {
    close: async () => {
      const client = await listening.catch(() => undefined);
      await client?.endAsync(true);
    },
  };
}

const REFUSED = 128;

function listen(client: MqttClient, target: SourceTarget, server: string): void {
  client.on('error', (error) => target.problem(`no connection to the broker ${server}: ${messageOf(error)}`));
  client.on('close', () => target.problem(`the broker ${server} closed the connection, or is not there`));
}
