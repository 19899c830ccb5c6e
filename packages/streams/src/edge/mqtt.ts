/** Connections to brokers, for sources and sinks. */
import type { IClientOptions, MqttClient } from 'mqtt';
import { type Secret, textIn, tlsOf } from './secrets.ts';

export interface MqttSettings {
  readonly server: string;
  readonly version?: '3.1.1' | '5';
  readonly clientId: string;
  /** The broker keeps what comes while the connection is gone. */
  readonly isKept: boolean;
  readonly secret: Secret;
}

const RECONNECT_MS = 2000;
const CONNECT_MS = 10_000;
/** A broker of MQTT 5 keeps our session for a day. */
const SESSION_SECONDS = 86_400;

/** Connects by itself, and anew when it is cut off. */
export async function connectMqtt(settings: MqttSettings): Promise<MqttClient> {
  const { connect } = await import('mqtt');
  return connect(settings.server, optionsOf(settings));
}

function optionsOf({ version = '3.1.1', clientId, isKept, secret }: MqttSettings): IClientOptions {
  const username = textIn(secret, 'username');
  const password = textIn(secret, 'password');
  return {
    protocolVersion: version === '5' ? 5 : 4,
    clientId,
    clean: !isKept,
    connectTimeout: CONNECT_MS,
    reconnectPeriod: RECONNECT_MS,
    resubscribe: true,
    ...(version === '5' && isKept ? { properties: { sessionExpiryInterval: SESSION_SECONDS } } : {}),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...tlsOf(secret),
  };
}
