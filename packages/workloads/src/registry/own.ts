/** Our own registry behind the door; opened by the first request that needs it. */
import type { IncomingMessage } from 'node:http';
import { answer } from './answers.ts';
import type { Backend } from './listener.ts';
import type { Registry } from './registry.ts';

export function ownBackend(open: () => Promise<Registry>): Backend {
  return {
    handle: async (action, message) => {
      if (action.kind === 'ping') return { status: 200, headers: { 'content-type': 'application/json' }, body: '{}' };
      return answer(await open(), action, askedBy(message));
    },
  };
}

function askedBy(message: IncomingMessage) {
  const { url = '', headers } = message;
  const at = url.indexOf('?');
  return {
    headers,
    query: new URLSearchParams(at < 0 ? '' : url.slice(at + 1)),
    // A body that is left in its midst must not take the connection along, on which the answer goes.
    body: message.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>,
  };
}
