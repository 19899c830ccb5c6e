/** Results as messages to a broker. */
import type { MqttClient } from 'mqtt';
import { connectMqtt } from '../mqtt.ts';
import { fillIn, messagesOf } from './format-row.ts';
import { queuedSink } from './queue.ts';
import type { Sink, SinkContext } from './sink.ts';

export function mqttSink(context: SinkContext): Sink {
  const { sink, namespace, rule, secret } = context;
  const { server = '', topic = '', qos = 1, retain = false, version = '3.1.1' } = sink.mqtt ?? {};
  const clientId = `skerry-${namespace}-${rule}-${sink.name}`;
  const opening = connectMqtt({ server, version, clientId, isKept: false, secret });
  const client = opening.then(tried);
  client.catch(() => {});
  return queuedSink(context, {
    isOneByOne: sink.together !== true,
    send: async (rows, signal) => {
      const connected = await unlessAborted(client, signal);
      if (!connected.connected) throw new Error(`no connection to the broker ${server}`);
      for (const message of messagesOf(sink, rows)) {
        signal.throwIfAborted();
        // With several rows in a message, the topic is that of the first.
        const sent = connected.publishAsync(fillIn(topic, rows[0] ?? {}), message, { qos: qos as 0 | 1 | 2, retain });
        await unlessAborted(sent, signal);
      }
    },
    close: async () => {
      await (await opening.catch(() => undefined))?.endAsync(true);
    },
  });
}

/** Connected, or found that it cannot be now. */
async function tried(client: MqttClient): Promise<MqttClient> {
  // Whoever sends hears why there is no connection; what the client says meanwhile is the same.
  client.on('error', () => {});
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const event of ['connect', 'close'] as const) client.once(event, () => resolve());
  await promise;
  return client;
}

/** Rejects when the signal comes first, and leaves nothing with it. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const end = () => reject(signal.reason);
  signal.addEventListener('abort', end, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', end);
  }
}
