/** Messages of a broker. */
import { messageOf } from '@skerry/base';
import type { IPublishPacket, MqttClient } from 'mqtt';
import type { StreamSpec } from '../../kinds/stream.ts';
import { connectMqtt } from '../mqtt.ts';
import type { KeepMessage, Source, SourceContext, SourceTarget } from './source.ts';
import { messageTaker } from './take-message.ts';

/** Without `keep`, messages become rows at once; with it they are only kept, and whoever keeps them makes the rows. */
export function openMqtt(spec: StreamSpec, target: SourceTarget, context: SourceContext, keep?: KeepMessage): Source {
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
    if (keep === undefined) client.on('message', (from, payload) => take(payload.toString('utf8'), { topic: from }));
    else keepAll(client, keep, target);
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

/** A message of quality 1 or 2 is acknowledged once it is kept; one that cannot be kept comes again. */
function keepAll(client: MqttClient, keep: KeepMessage, target: SourceTarget): void {
  let connection = 0;
  client.on('connect', () => connection++);
  client.handleMessage = (packet, done) => {
    const { topic, payload, qos, messageId } = packet as IPublishPacket;
    const kept = keep(topic, Buffer.from(payload).toString('utf8'));
    const of = connection;
    kept.catch((error: unknown) => {
      target.problem(`messages cannot be kept: ${messageOf(error)}`);
      // The broker sends it again over another connection, and over no other.
      if (of === connection) client.stream.destroy();
    });
    if (qos !== 1) {
      void acknowledgeWhenKept(kept, done);
      return;
    }
    // The client reads on instead of waiting, so that many are kept by one write; each is acknowledged afterwards.
    void kept
      .then(() => {
        if (of === connection) client['_sendPacket']({ cmd: 'puback', messageId, reasonCode: 0 });
      })
      .catch(() => {});
    done(LATER);
  };
}

async function acknowledgeWhenKept(kept: Promise<unknown>, done: (error?: Error) => void): Promise<void> {
  try {
    await kept;
    done();
  } catch (cause) {
    done(new Error('the message could not be kept', { cause }));
  }
}

const LATER = new Error('acknowledged later');

function listen(client: MqttClient, target: SourceTarget, server: string): void {
  client.on('error', (error) => target.problem(`no connection to the broker ${server}: ${messageOf(error)}`));
  client.on('close', () => target.problem(`the broker ${server} closed the connection, or is not there`));
}
