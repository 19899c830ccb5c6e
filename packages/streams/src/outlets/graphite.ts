/**
 * Graphite's plain text over TCP: `path value seconds`. The protocol has no acknowledgement. Each batch has a connection of its own that
 * is closed on our side first: the server's close says that it has read everything.
 */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { messageOf } from '@skerry/base';
import { hostOf, pin, portOf } from './endpoint.ts';
import { fillTemplate } from './names.ts';
import { textOption } from './options.ts';
import { OutletError, type OutletRows, type OutletTarget, type TargetSettings } from './target.ts';
import { goodRows, numberOf, Tally } from './values.ts';

const DEFAULT_PORT = 2003;
const TIMEOUT_MS = 30_000;
const DEFAULT_PATH = 'skerry.{namespace}.{device}.{property}';

/** Options: `path`, a template with labels in braces. */
export function graphiteTarget(settings: TargetSettings): OutletTarget {
  const template = textOption(settings.options, 'path') ?? DEFAULT_PATH;
  const endpoint = `tcp://${settings.endpoint.replace(/^tcp:\/\//, '')}`;
  return {
    send: async (rows, signal) => {
      const tally = new Tally();
      const text = encodeGraphite(rows, { template, tally });
      if (text !== '') {
        const { url } = await pin({ ...settings, endpoint }, { protocols: ['tcp:'], port: DEFAULT_PORT });
        const socket = connect({ host: hostOf(url), port: portOf(url, DEFAULT_PORT) });
        await deliver(socket, text, AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]));
      }
      return tally.result();
    },
    close: async () => {},
  };
}

export function encodeGraphite(
  rows: readonly OutletRows[],
  { template, tally }: { readonly template: string; readonly tally: Tally },
): string {
  let text = '';
  for (const one of rows) {
    const path = fillTemplate(template, one.labels, (value) => value.replaceAll(/[^a-zA-Z0-9_-]/g, '_'));
    for (const { time, value } of goodRows(one, tally)) {
      const number = numberOf(value);
      if ('dropped' in number) tally.drop(number.dropped);
      else if (!Number.isFinite(number.value)) tally.drop('NotFinite');
      else {
        text += `${path} ${number.value} ${Math.floor(time / 1000)}\n`;
        tally.sent();
      }
    }
  }
  return text;
}

async function deliver(socket: Socket, text: string, signal: AbortSignal): Promise<void> {
  try {
    await once(socket, 'connect', { signal });
    const closed = once(socket, 'close', { signal });
    socket.resume();
    socket.end(text);
    await closed;
  } catch (error) {
    throw new OutletError(`the engine did not take the lines: ${messageOf(error)}`, { cause: error });
  } finally {
    socket.destroy();
  }
}
