/** The driver of devices behind MQTT brokers: the site's own, which it runs, and those of others. */
import type { BrokerConfig } from '../../broker/config.ts';
import type { SiteBroker } from '../../broker/site-broker.ts';
import type { DeviceSettings, Driver, DriverContext, Session } from '../../driver.ts';
import { DriverError } from '../../driver-error.ts';
import { openBrokerSession, SERVE } from './broker-session.ts';
import { clientLink } from './client-link.ts';
import { discoverTopics } from './discover.ts';
import { embeddedLink } from './embedded-link.ts';
import { type OpenLink, openMqttSession } from './session.ts';

export function createMqtt(): Driver {
  const brokers = new Map<string, SiteBroker>();
  return {
    protocol: 'mqtt',
    connect: (settings, context) => {
      const served = settings.options[SERVE] as BrokerConfig | undefined;
      if (served !== undefined) return serve(brokers, served, context);
      return openMqttSession(settings, context, openerOf(brokers, settings, context));
    },
    discover: (request, context) => discoverTopics(request, context, openerOf(brokers, request.settings, context)),
  };
}

async function serve(brokers: Map<string, SiteBroker>, config: BrokerConfig, context: DriverContext): Promise<Session> {
  const key = `${config.namespace}/${config.name}`;
  const session = await openBrokerSession(config, context);
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
  const { namespace, broker: name } = settings;
  if (name === undefined) return (onMessage) => clientLink(settings, onMessage, context.signal);
  return async (onMessage) => {
    const broker = brokers.get(`${namespace}/${name}`);
    if (broker === undefined) throw new DriverError('Unreachable', `MqttBroker "${name}" does not serve at this node`);
    return embeddedLink(broker, onMessage);
  };
}
