/** For tests: a site's broker on a port of its own. */
import { type Clock, silentLogger, systemClock } from '@skerry/base';
import type { BrokerConfig, BrokerUser } from '../config.ts';
import { openSiteBroker, type SiteBroker } from '../site-broker.ts';

export interface ScratchBroker extends AsyncDisposable {
  readonly broker: SiteBroker;
  readonly port: number;
}

export interface ScratchOptions {
  /** Where it keeps what lasts. */
  readonly file?: string;
  readonly clock?: Clock;
}

export async function scratchBroker(
  given: Partial<BrokerConfig> = {},
  { clock = systemClock, ...kept }: ScratchOptions = {},
): Promise<ScratchBroker> {
  const broker = await openSiteBroker({ config: brokerConfig(given), ...kept, clock, log: silentLogger });
  return { broker, port: portOf(broker), [Symbol.asyncDispose]: () => broker.close() };
}

export function brokerConfig(given: Partial<BrokerConfig> = {}): BrokerConfig {
  return {
    namespace: 'default',
    name: 'site',
    uid: 'uid',
    listeners: [{ name: 'plain', address: '127.0.0.1', port: 0 }],
    isAnonymousAllowed: true,
    users: [],
    isKept: false,
    ...given,
    limits: {
      clients: 100,
      messageBytes: 1_048_576,
      queuedMessagesPerClient: 1000,
      subscriptionsPerClient: 100,
      inflightPerClient: 100,
      keptBytes: 16_777_216,
      ...given.limits,
    },
  };
}

export function portOf(broker: SiteBroker, index = 0): number {
  return Number(new URL(broker.report().endpoints[index] ?? '').port);
}

export function userOf(name: string, given: Partial<BrokerUser> = {}): BrokerUser {
  return { name, password: `${name}-secret`, publish: [], subscribe: [], ...given };
}
