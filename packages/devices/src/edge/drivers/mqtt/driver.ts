/** The driver of devices behind MQTT brokers: the site's own, which it runs, and those of others. */
import type { BrokerConfig } from '../../broker/config.ts';
import type { SiteBroker } from '../../broker/site-broker.ts';
import type { DeviceSettings, Driver, DriverContext, Session } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';
import { type BrokerSession, openBrokerSession, SERVE } from './broker-session.ts';
import { clientLink } from './client-link.ts';
import { discoverTopics } from './discover.ts';
import { embeddedLink } from './embedded-link.ts';
import { type OpenLink, openMqttSession } from './session.ts';

/** `folder`: where brokers keep what they keep. */
export function createMqtt(folder?: string): Driver {
  const brokers = new Map<string, SiteBroker>();
  return {
    protocol: 'mqtt',
    connect: (settings, context) => {
      const served = settings.options[SERVE] as BrokerConfig | undefined;
      if (served !== undefined) return serve(brokers, openBrokerSession(served, context, folder), served);
      return openMqttSession(settings, context, openerOf(brokers, settings, context));
    },
    discover: (request, context) => discoverTopics(request, context, openerOf(brokers, request.settings, context)),
  };
}

async function serve(
  brokers: Map<string, SiteBroker>,
  opening: Promise<BrokerSession>,
  { namespace, name }: BrokerConfig,
): Promise<Session> {
  const key = `${namespace}/${name}`;
  const session = await opening;
  brokers.set(key, session.broker);
  void session.ended.then(() => {
    if (brokers.get(key) === session.broker) brokers.delete(key);
  });
  return session;
}

function openerOf(
  brokers: ReadonlyMap<string, SiteBroker>,
  settings: DeviceSettings,
  context: DriverContext,
): OpenLink {
  const { broker: name } = settings;
  if (name === undefined) return (onMessage) => clientLink(settings, onMessage, context);
  return async (onMessage) => embeddedLink(await brokerNamed(brokers, name, { ...settings, ...context }), onMessage);
}

/** A broker that begins together with its devices is waited for: pauses between attempts grow, and would outlast its beginning. */
const BEGINNING_MS = 3000;
const LOOK_MS = 100;

async function brokerNamed(
  brokers: ReadonlyMap<string, SiteBroker>,
  name: string,
  { namespace, clock, signal }: Pick<DeviceSettings, 'namespace'> & Pick<DriverContext, 'clock' | 'signal'>,
): Promise<SiteBroker> {
  for (const began = clock.monotonic(); clock.monotonic() - began < BEGINNING_MS; await clock.sleep(LOOK_MS, signal)) {
    const broker = brokers.get(`${namespace}/${name}`);
    if (broker !== undefined) return broker;
  }
  throw new DriverError('Unreachable', `MqttBroker "${name}" does not serve at this node`);
}
