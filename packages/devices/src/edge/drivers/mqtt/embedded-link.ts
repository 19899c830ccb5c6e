/** The way to the site's own broker where it runs in the same thread: no socket, no packet. */
import type { SiteBroker } from '../../broker/site-broker.ts';
import { DriverError } from '../../driver-error.ts';
import type { Link, OnMessage } from './link.ts';

export function embeddedLink(broker: SiteBroker, onMessage: OnMessage): Link {
  const taps = new Map<string, () => void>();
  const closed = Promise.withResolvers<undefined>();
  const ended = broker.ended.then(
    (error) => new DriverError('Unreachable', error === undefined ? 'the broker was closed' : error.message),
  );
  return {
    subscribe: async (filters) => {
      for (const filter of filters) {
        if (!taps.has(filter)) taps.set(filter, broker.tap(filter, onMessage));
        for (const { topic, payload } of broker.retained(filter)) onMessage(topic, payload);
      }
    },
    publish: (message) => broker.publish(message),
    ended: Promise.race([closed.promise, ended]),
    close: async () => {
      for (const end of taps.values()) end();
      taps.clear();
      closed.resolve(undefined);
    },
  };
}
