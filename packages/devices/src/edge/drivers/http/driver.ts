/** The driver of devices that answer to HTTP, or post by it. */
import type { Clock } from '@skerry/base';
import type { Driver } from '../../driver.ts';
import { openRequests } from './request.ts';
import { HttpSession } from './session.ts';
import { createListeners } from './webhook/listeners.ts';
import { openPosted } from './webhook/posted.ts';

export function createHttp({ clock }: { readonly clock: Clock }): Driver {
  const listeners = createListeners(clock);
  return {
    protocol: 'http',
    connect: async (settings, context) => {
      const isAsked = settings.endpoint !== '' || settings.options['webhook'] === undefined;
      // Whether anybody is there, before anything is asked or heard.
      const requests = isAsked ? await openRequests(settings, { ...context, clock }) : undefined;
      try {
        return new HttpSession({ requests, posted: await openPosted(settings, listeners, clock) });
      } catch (error) {
        requests?.close();
        throw error;
      }
    },
  };
}
