/** MQTT: a message a row. With QoS 1 the broker has acknowledged each before the batch counts as sent. */
import { isIP } from 'node:net';
import { messageOf } from '@skerry/base';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { pin } from './endpoint.ts';
import { jsonRows } from './http.ts';
import { fillTemplate } from './names.ts';
import { choiceOption, flagOption, textOption } from './options.ts';
import { OutletError, type OutletRows, type OutletTarget, type TargetSettings } from './target.ts';
import { Tally } from './values.ts';

const DEFAULT_PORT = 1883;
const DEFAULT_TLS_PORT = 8883;
const TIMEOUT_MS = 10_000;
const MAX_IN_FLIGHT = 256;
const DEFAULT_TOPIC = 'skerry/{namespace}/{device}/{property}';

interface Message {
  readonly topic: string;
  readonly body: string;
}

/** Options: `topic`, a template with labels in braces; `qos`, `"1"` or `"0"`; `retain`; `clientId`. */
export function mqttTarget(settings: TargetSettings): OutletTarget {
  const { options } = settings;
  const template = textOption(options, 'topic') ?? DEFAULT_TOPIC;
  const qos = choiceOption(options, 'qos', ['0', '1']) === '0' ? 0 : 1;
  const retain = flagOption(options, 'retain') ?? false;
  let connected: Promise<MqttClient> | undefined;
  return {
    send: async (rows, signal) => {
      const tally = new Tally();
      const messages = rows.flatMap((one) => messagesOf(one, template, tally));
      connected ??= open(settings);
      try {
        const client = await connected;
        for (let start = 0; start < messages.length; start += MAX_IN_FLIGHT) {
          signal.throwIfAborted();
          const part = messages.slice(start, start + MAX_IN_FLIGHT);
          await within(Promise.all(part.map(({ topic, body }) => client.publishAsync(topic, body, { qos, retain }))));
        }
      } catch (error) {
        const broken = connected;
        connected = undefined;
        broken.then((client) => client.endAsync(true)).catch(() => {});
        if (error instanceof OutletError) throw error;
        throw new OutletError(`the broker did not take the rows: ${messageOf(error)}`, { cause: error });
      }
      return tally.result();
    },
    close: async () => {
      await connected?.then((client) => client.endAsync()).catch(() => {});
    },
  };
}

async function open(settings: TargetSettings): Promise<MqttClient> {
  const isTls = settings.endpoint.startsWith('mqtts:');
  const { url, host } = await pin(settings, {
    protocols: ['mqtt:', 'mqtts:'],
    port: isTls ? DEFAULT_TLS_PORT : DEFAULT_PORT,
  });
  // A path would be one of a socket of this machine.
  url.pathname = '';
  url.search = '';
  const servername = isTls && isIP(host) === 0 ? { servername: host } : {};
  return mqtt.connectAsync(url.href, { ...connectionOf(settings), ...servername });
}

function connectionOf({ credentials, options }: TargetSettings): IClientOptions {
  const { username, password, certificate, key, authority } = credentials;
  const clientId = textOption(options, 'clientId');
  return {
    connectTimeout: TIMEOUT_MS,
    // Whoever sends tries again, with a connection of its own.
    reconnectPeriod: 0,
    ...(clientId === undefined ? {} : { clientId }),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
    ...(authority === undefined ? {} : { ca: authority }),
  };
}

function messagesOf(one: OutletRows, template: string, tally: Tally): Message[] {
  const topic = fillTemplate(template, one.labels, (value) => value.replaceAll(/[#+/\0]/g, '_'));
  return jsonRows(one, tally).map((row) => ({ topic, body: JSON.stringify(row) }));
}

/** A broker that is gone without a word acknowledges nothing, for ever. */
async function within<T>(work: Promise<T>): Promise<T> {
  const late = AbortSignal.timeout(TIMEOUT_MS);
  const { promise, reject } = Promise.withResolvers<never>();
  late.addEventListener('abort', () => reject(new Error('no acknowledgement in time')), { once: true });
  return await Promise.race([work, promise]);
}
