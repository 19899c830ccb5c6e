/** NATS JetStream: a message a row, acknowledged by the stream, with an id by which the stream knows what it has already. */
import { createHash } from 'node:crypto';
import { type JetStreamClient, jetstream, jetstreamManager } from '@nats-io/jetstream';
import {
  type ConnectionOptions,
  connect,
  type NatsConnection,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node';
import { messageOf } from '@skerry/base';
import { pin } from './endpoint.ts';
import { jsonRows } from './http.ts';
import { fillTemplate } from './names.ts';
import { textOption } from './options.ts';
import { type Credentials, OutletError, type OutletRows, type OutletTarget, type TargetSettings } from './target.ts';
import { Tally } from './values.ts';

const TIMEOUT_MS = 10_000;
const DEFAULT_PORT = 4222;
/** Messages on their way that the stream has not acknowledged yet. */
const MAX_IN_FLIGHT = 256;
const DEFAULT_SUBJECT = 'skerry.{namespace}.{device}.{property}';

interface Message {
  readonly subject: string;
  readonly body: string;
  readonly id: string;
}

/** Options: `subject`, a template with labels in braces; `stream`, which is made for the subjects where it is missing. */
export function natsTarget(settings: TargetSettings): OutletTarget {
  const template = textOption(settings.options, 'subject') ?? DEFAULT_SUBJECT;
  const stream = textOption(settings.options, 'stream');
  let connection: Promise<NatsConnection> | undefined;
  const open = async (): Promise<NatsConnection> => {
    const opened = await connect(await connectionOf(settings));
    if (stream !== undefined) await makeStream(opened, stream, template.replaceAll(/\{[^{}]+\}/g, '*'));
    return opened;
  };
  return {
    send: async (rows, signal) => {
      const tally = new Tally();
      const messages = rows.flatMap((one) => messagesOf(one, template, tally));
      connection ??= open();
      try {
        await publish(jetstream(await connection, { timeout: TIMEOUT_MS }), messages, signal);
      } catch (error) {
        const broken = connection;
        connection = undefined;
        broken.then((one) => one.close()).catch(() => {});
        if (error instanceof OutletError) throw error;
        throw new OutletError(`the stream did not take the rows: ${messageOf(error)}`, { cause: error });
      }
      return tally.result();
    },
    close: async () => {
      await connection?.then((one) => one.close()).catch(() => {});
    },
  };
}

async function connectionOf(settings: TargetSettings): Promise<ConnectionOptions> {
  const { url, host } = await pin(settings, { protocols: ['nats:', 'tls:'], port: DEFAULT_PORT });
  const { credentials } = settings;
  const { certificate, key, authority } = credentials;
  const isTls = url.protocol === 'tls:' || authority !== undefined || certificate !== undefined;
  const tls = {
    servername: host,
    ...(certificate === undefined ? {} : { cert: certificate }),
    ...(key === undefined ? {} : { key }),
    ...(authority === undefined ? {} : { ca: authority }),
  };
  return {
    servers: url.host,
    // What the server says of others of its kind could lead anywhere.
    ignoreClusterUpdates: true,
    name: 'skerry',
    timeout: TIMEOUT_MS,
    // Whoever sends tries again, with a connection of its own.
    reconnect: false,
    ...authenticator(credentials),
    ...(isTls ? { tls } : {}),
  };
}

function authenticator({ username, password, token }: Credentials): Pick<ConnectionOptions, 'authenticator'> {
  if (token !== undefined) return { authenticator: tokenAuthenticator(token) };
  return username === undefined ? {} : { authenticator: usernamePasswordAuthenticator(username, password) };
}

/** Makes the stream, or leaves the one that is there as it is. */
async function makeStream(connection: NatsConnection, name: string, subject: string): Promise<void> {
  const manager = await jetstreamManager(connection, { timeout: TIMEOUT_MS });
  const isThere = await manager.streams.info(name).then(
    () => true,
    () => false,
  );
  if (!isThere) await manager.streams.add({ name, subjects: [subject] });
}

async function publish(client: JetStreamClient, messages: readonly Message[], signal: AbortSignal): Promise<void> {
  for (let start = 0; start < messages.length; start += MAX_IN_FLIGHT) {
    signal.throwIfAborted();
    const part = messages.slice(start, start + MAX_IN_FLIGHT);
    await Promise.all(part.map(({ subject, body, id }) => client.publish(subject, body, { msgID: id })));
  }
}

function messagesOf(one: OutletRows, template: string, tally: Tally): Message[] {
  const subject = fillTemplate(template, one.labels, (value) => value.replaceAll(/[\s.*>]/g, '_'));
  return jsonRows(one, tally).map((row) => {
    const body = JSON.stringify(row);
    return { subject, body, id: createHash('sha256').update(body).digest('base64url').slice(0, 22) };
  });
}
