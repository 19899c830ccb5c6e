/** What a broker is told: an MqttBroker with everything resolved that it names. Goes to the thread it runs in. */
import type { Trust } from '../driver.ts';

export interface BrokerConfig {
  readonly namespace: string;
  readonly name: string;
  /** Of the object: another of the same name inherits nothing. */
  readonly uid: string;
  readonly listeners: readonly BrokerListener[];
  /** Whoever comes without a name may do what the user `anonymous` may; without that one, everything. */
  readonly isAnonymousAllowed: boolean;
  readonly users: readonly BrokerUser[];
  readonly limits: BrokerLimits;
  /** Sessions, queued and retained messages outlive the process. */
  readonly isKept: boolean;
}

export interface BrokerListener {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  /** Undefined: plain. */
  readonly tls?: BrokerTls;
}

export interface BrokerTls {
  readonly certificate: string;
  readonly key: string;
  /** Whoever has issued it, where that is the site itself. */
  readonly authority?: string;
  /** Client certificates are demanded, and this decides about them. */
  readonly trust?: Trust;
}

export interface BrokerUser {
  readonly name: string;
  /** As it is, or as mosquitto_passwd writes it: `$7$…`. */
  readonly password?: string;
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

export interface BrokerLimits {
  readonly clients: number;
  readonly messageBytes: number;
  readonly queuedMessagesPerClient: number;
  readonly subscriptionsPerClient: number;
  /** Messages of quality 2 that a client has begun and not ended. */
  readonly inflightPerClient: number;
  readonly keptBytes: number;
  readonly messagesPerSecondPerClient?: number;
  /** The longest silence that a client may ask for; without it any. */
  readonly keepaliveSeconds?: number;
}

/** How a broker is. */
export interface BrokerReport {
  readonly endpoints: readonly string[];
  readonly clients: number;
  /** Since it began. */
  readonly messages: number;
  readonly dropped: number;
  readonly refused: number;
  /** Among the refused: their passwords were not looked at. */
  readonly loginsTurnedAway: number;
  readonly rejected: readonly RejectedPeer[];
}

export interface RejectedPeer {
  readonly pem: string;
  readonly thumbprint: string;
  readonly subject: string;
  readonly reason: string;
  /** Milliseconds since 1970. */
  readonly seenAt: number;
}
