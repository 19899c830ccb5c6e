import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { silentLogger } from '@skerry/base';
import { fakeClock } from '@skerry/testkit';
import { type ConformanceBench, conformanceTests, pointOf, settingsOf } from '../../conformance/index.ts';
import { createHttp } from './driver.ts';

const reading = (name: string, type: string) =>
  pointOf(name, type, { path: '/values', field: name, write: { path: `/values/${name}`, body: '{"is": {value}}' } });

const NAMES = ['a', 'b', 'c'];

conformanceTests(test, 'HTTP', ['writes', 'lacks', 'garbles'], async (): Promise<ConformanceBench> => {
  const clock = fakeClock();
  const values: Record<string, unknown> = { a: 1.5, b: 'on', c: true };
  let fault: 'None' | 'Silent' | 'Garbage' = 'None';
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    if (fault === 'Silent') return;
    if (fault === 'Garbage') return void response.end('{"a":');
    assert.equal(request.headers.authorization, 'Bearer abc');
    if (request.method === 'PUT') {
      const chunks: Buffer[] = [];
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
      const { is } = JSON.parse(Buffer.concat(chunks).toString()) as { readonly is: unknown };
      values[request.url?.split('/').at(-1) ?? ''] = is;
    }
    response.end(JSON.stringify(values));
  };
  const server = createServer((request, response) => void answer(request, response));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    driver: createHttp({ clock }),
    clock,
    log: silentLogger,
    settings: settingsOf({
      endpoint: `http://127.0.0.1:${port}`,
      secret: { token: Buffer.from('abc') },
    }),
    points: [reading('a', 'float64'), reading('b', 'string'), reading('c', 'bool')],
    values: [1.5, 'on', true],
    others: [2.5, 'off', false],
    set: async (index, value) => {
      values[NAMES[index] ?? ''] = value;
    },
    get: async (index) => values[NAMES[index] ?? ''] as string,
    absent: reading('d', 'float64'),
    // The answers come over a real socket: time passes only while none is to come.
    settle: async (promise) => {
      let isDone = false;
      promise.then(
        () => (isDone = true),
        () => (isDone = true),
      );
      while (!isDone && fault === 'Silent') {
        await clock.advance(100);
        await setImmediate();
      }
      return promise;
    },
    cut: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
    silence: async () => {
      fault = 'Silent';
    },
    garble: async () => {
      fault = 'Garbage';
    },
    heal: async () => {
      fault = 'None';
      if (!server.listening) await once(server.listen(port, '127.0.0.1'), 'listening');
    },
    [Symbol.asyncDispose]: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
});
