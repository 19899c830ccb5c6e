/** The MqttBrokers of this node: each runs in the thread of the MQTT driver, as a session of it. */
import type { Clock, Logger } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import {
  type ControllerSpec,
  type Informer,
  keyOf,
  parseObjectKey,
  type Requeue,
  watching,
} from '@skerry/kube/controller';
import { MQTT_BROKERS } from '../../resources/group.ts';
import type { MqttBroker, MqttBrokerStatus } from '../../resources/mqtt-broker.ts';
import type { Session } from '../driver.ts';
import { driverErrorOf } from '../driver-error.ts';
import type { Drivers } from '../worker/drivers.ts';
import type { SiteCertificates } from '../worker/site-certificates.ts';
import { resolveBroker } from './broker-config.ts';
import type { BrokerConfig, BrokerReport } from './config.ts';
import { removeKept } from './kept-files.ts';

export interface BrokerControllerOptions {
  readonly node: string;
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly brokers: Informer<MqttBroker>;
  readonly drivers: Drivers;
  readonly certificates: SiteCertificates;
  /** Where brokers keep what they keep: that of one whose object is gone goes, too. */
  readonly keptIn?: string;
}

export interface BrokerController {
  readonly spec: ControllerSpec;
  close(): Promise<void>;
}

/** How often the status tells what has come in, and what the broker names is looked at again. */
const REPORT_MS = 10_000;
/** One that could not begin is tried again: an address may still be held for a moment by whoever had it before. */
const AGAIN_MS = 2000;

interface Serving {
  readonly session: Session;
  config: BrokerConfig;
  messages: number;
  at: number;
  isOver: boolean;
}

export function brokerController(options: BrokerControllerOptions): BrokerController {
  const node = new NodeBrokers(options);
  return {
    spec: {
      name: 'mqtt-brokers',
      watches: [watching(options.brokers, ({ object }) => [keyOf(object)])],
      reconcile: (key, signal) => node.reconcile(key, signal),
    },
    close: () => node.close(),
  };
}

class NodeBrokers {
  readonly #options: BrokerControllerOptions;
  readonly #serving = new Map<string, Serving>();

  constructor(options: BrokerControllerOptions) {
    this.#options = options;
  }

  async reconcile(key: string, signal: AbortSignal): Promise<Requeue | undefined> {
    const broker = this.#options.brokers.cache.get(key);
    if (broker?.status?.nodes?.includes(this.#options.node) !== true) {
      await this.#end(key);
      if (broker === undefined) await this.#forget(key);
      return undefined;
    }
    const status = await this.#statusOf(key, broker, signal);
    await this.#tell(key, broker, status);
    return { afterMs: status.state === 'Failed' ? AGAIN_MS : REPORT_MS };
  }

  async close(): Promise<void> {
    await Promise.all([...this.#serving.keys()].map((key) => this.#end(key)));
  }

  async #statusOf(key: string, broker: MqttBroker, signal: AbortSignal): Promise<Partial<MqttBrokerStatus>> {
    try {
      const config = await resolveBroker(this.#options, broker, signal);
      const serving = await this.#serve(key, config, signal);
      return this.#reported(serving, signal);
    } catch (error) {
      // What was served before goes on: a Secret that is gone for a moment ends nobody's connection.
      return { state: this.#serving.has(key) ? 'Serving' : 'Failed', lastError: driverErrorOf(error).message };
    }
  }

  async #serve(key: string, config: BrokerConfig, signal: AbortSignal): Promise<Serving> {
    const known = this.#serving.get(key);
    if (known !== undefined && !known.isOver && isSame(shapeOf(known.config), shapeOf(config))) {
      if (!isSame(known.config, config)) await ask(known.session, 'configure', signal, config);
      known.config = config;
      return known;
    }
    await this.#end(key);
    const { drivers, clock, log } = this.#options;
    const driver = await drivers.open('mqtt');
    const settings = {
      namespace: config.namespace,
      name: config.name,
      endpoint: '',
      timeoutMs: 0,
      retries: 0,
      options: { serve: config },
      secret: {},
      files: {},
    };
    const session = await driver.connect(settings, { clock, log, signal });
    const serving: Serving = { session, config, messages: 0, at: clock.monotonic(), isOver: false };
    void session.ended.then(() => {
      serving.isOver = true;
    });
    this.#serving.set(key, serving);
    return serving;
  }

  async #reported(serving: Serving, signal: AbortSignal): Promise<Partial<MqttBrokerStatus>> {
    const report = await ask(serving.session, 'report', signal);
    const now = this.#options.clock.monotonic();
    const seconds = (now - serving.at) / 1000;
    const rate = seconds > 0 ? (report.messages - serving.messages) / seconds : 0;
    [serving.messages, serving.at] = [report.messages, now];
    return {
      state: 'Serving',
      lastError: '',
      endpoints: report.endpoints,
      authority: serving.config.listeners.find(({ tls }) => tls?.authority !== undefined)?.tls?.authority ?? '',
      clients: report.clients,
      messagesPerSecond: Math.round(rate * 10) / 10,
      dropped: report.dropped,
      refused: report.refused,
      loginsTurnedAway: report.loginsTurnedAway,
      rejectedCertificates: report.rejected.map(({ seenAt, ...peer }) => ({
        ...peer,
        seenAt: new Date(seenAt).toISOString(),
      })),
    };
  }

  /** Only what has changed. */
  async #tell(key: string, broker: MqttBroker, status: Partial<MqttBrokerStatus>): Promise<void> {
    const whole = { ...status, observedGeneration: Number(broker.metadata.generation ?? 0) };
    const before: Readonly<Record<string, unknown>> = { ...broker.status };
    if (Object.entries(whole).every(([field, value]) => isSame(before[field], value))) return;
    const { namespace, name } = parseObjectKey(key);
    const ref = { gvr: MQTT_BROKERS, name, ...(namespace === undefined ? {} : { namespace }) };
    await this.#options.client.patch(ref, { status: whole }, { type: 'merge', subresource: 'status' });
  }

  /** The memory of a broker ends with its object, and not with the agent. */
  async #forget(key: string): Promise<void> {
    const { keptIn } = this.#options;
    const { namespace, name } = parseObjectKey(key);
    if (keptIn !== undefined) await removeKept(keptIn, { namespace, name });
  }

  async #end(key: string): Promise<void> {
    const serving = this.#serving.get(key);
    this.#serving.delete(key);
    await serving?.session.close();
  }
}

/** What cannot be changed while it serves. Certificates can: nobody is cut off because one is renewed. */
function shapeOf({ listeners, limits, isKept, uid }: BrokerConfig): object {
  const places = listeners.map(({ tls, ...place }) => ({ ...place, isTls: tls !== undefined, trust: tls?.trust }));
  return { places, limits, isKept, uid };
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

async function ask(
  session: Session,
  command: 'configure' | 'report',
  signal: AbortSignal,
  config?: BrokerConfig,
): Promise<BrokerReport> {
  const request = { command, address: config === undefined ? {} : { config }, input: [], output: [] };
  return (await session.call?.(request, signal)) as unknown as BrokerReport;
}
