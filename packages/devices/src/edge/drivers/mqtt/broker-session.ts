/** A broker as a session of the driver: it runs in the thread of the driver, so that devices reach it without a socket. */
import type { RawValue } from '../../../values/encoding.ts';
import type { BrokerConfig } from '../../broker/config.ts';
import { keptFile } from '../../broker/kept-files.ts';
import { openSiteBroker, type SiteBroker } from '../../broker/site-broker.ts';
import type { CallRequest, DriverContext, ReadGroup, Session } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';

/** The option that says so; no Device has it, because the protocol's schema does not. */
export const SERVE = 'serve';

export interface BrokerSession extends Session {
  readonly broker: SiteBroker;
}

/** Rejects with a DriverError: an address that is taken, a certificate that is none. */
export async function openBrokerSession(
  config: BrokerConfig,
  { clock, log }: DriverContext,
  folder: string | undefined,
): Promise<BrokerSession> {
  try {
    const kept = folder !== undefined && config.isKept ? { file: await keptFile(folder, config) } : {};
    return new ServedBroker(await openSiteBroker({ config, ...kept, clock, log }));
  } catch (cause) {
    throw new DriverError('Misconfigured', (cause as Error).message, { cause });
  }
}

class ServedBroker implements BrokerSession {
  readonly broker: SiteBroker;

  constructor(broker: SiteBroker) {
    this.broker = broker;
  }

  get ended(): Promise<DriverError | undefined> {
    return this.broker.ended.then((error) =>
      error === undefined ? undefined : new DriverError('Unreachable', error.message, { cause: error }),
    );
  }

  group(): ReadGroup {
    return { read: () => Promise.reject(new DriverError('Unsupported', 'a broker has no values')) };
  }

  /** `report` says how it is; `configure` changes its users and certificates. */
  async call({ command, address }: CallRequest): Promise<Readonly<Record<string, RawValue>>> {
    if (command === 'configure') configure(this.broker, address['config'] as BrokerConfig);
    return this.broker.report() as unknown as Readonly<Record<string, RawValue>>;
  }

  close(): Promise<void> {
    return this.broker.close();
  }
}

function configure(broker: SiteBroker, config: BrokerConfig): void {
  try {
    broker.configure(config);
  } catch (cause) {
    throw new DriverError('Misconfigured', (cause as Error).message, { cause });
  }
}
