import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Gvr, KubeObject } from '@skerry/api';
import { hasCode } from '@skerry/base';
import { createHttpClient, type HttpClient } from './http.ts';

const PODS: Gvr = { group: '', version: 'v1', resource: 'pods' };
const WEB = { gvr: PODS, namespace: 'shop', name: 'web' };

type Answer = (request: IncomingMessage, response: ServerResponse, body: string) => void;

/** Runs `use` with a client of a server on a unix socket that answers with `answer`. */
async function check(answer: Answer, use: (client: HttpClient) => Promise<void>, timeoutMs = 5000): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'skerry-client-'));
  const socketPath = join(folder, 'api.sock');
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => answer(request, response, Buffer.concat(parts).toString()));
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  const client = createHttpClient({ connection: { socketPath, token: 'secret' }, timeoutMs });
  try {
    await use(client);
  } finally {
    client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(folder, { recursive: true });
  }
}

test('a request carries path, token, type and body', () =>
  check(
    (request, response, body) => {
      response.end(
        JSON.stringify({
          kind: 'Pod',
          metadata: {},
          saw: [request.method, request.url, request.headers.authorization, request.headers['content-type'], body],
        }),
      );
    },
    async (client) => {
      const answer = await client.patch<KubeObject>(WEB, { a: 'ü' }, { type: 'merge' });
      assert.deepEqual(answer.saw, [
        'PATCH',
        '/api/v1/namespaces/shop/pods/web',
        'Bearer secret',
        'application/merge-patch+json',
        '{"a":"ü"}',
      ]);
    },
  ));

test('calls share a connection', () => {
  const ports = new Set<unknown>();
  return check(
    (request, response) => {
      ports.add(request.socket);
      response.end('{}');
    },
    async (client) => {
      for (let call = 0; call < 5; call++) await client.get(WEB);
      assert.equal(ports.size, 1);
    },
  );
});

test('a kept-alive connection that the server closed meanwhile costs no error on a read', () => {
  let requests = 0;
  return check(
    (request, response) => {
      requests++;
      if (requests === 2) request.socket.destroy();
      else response.end('{}');
    },
    async (client) => {
      await client.get(WEB);
      await client.get(WEB);
      assert.equal(requests, 3);
    },
  );
});

test('a write on a connection that broke is not sent twice', () => {
  let requests = 0;
  return check(
    (request, response) => {
      requests++;
      if (requests === 2) request.socket.destroy();
      else response.end('{}');
    },
    async (client) => {
      await client.get(WEB);
      await assert.rejects(client.patch(WEB, {}, { type: 'merge' }), (error) => hasCode(error, 'CLIENT_UNREACHABLE'));
      assert.equal(requests, 2);
    },
  );
});

test('a server that does not answer in time is an error', () =>
  check(
    () => {},
    (client) => assert.rejects(client.get(WEB), (error) => hasCode(error, 'CLIENT_TIMED_OUT')),
    20,
  ));

test('a watch outlives the timeout of an answer, and ends the request when its reader leaves', async () => {
  const gone = Promise.withResolvers<void>();
  await check(
    (request, response) => {
      request.socket.once('close', () => gone.resolve());
      response.write('{"type":"ADDED","object":{"kind":"Pod","metadata":{"name":"web"}}}\n');
    },
    async (client) => {
      for await (const event of client.watch(PODS)) {
        assert.equal(event.object.metadata.name, 'web');
        break;
      }
      await gone.promise;
    },
    1000,
  );
});

test('aborting ends a quiet watch with the reason given', () =>
  check(
    (_request, response) => {
      response.writeHead(200);
      response.flushHeaders();
    },
    async (client) => {
      const controller = new AbortController();
      const reading = (async () => {
        for await (const event of client.watch(PODS, { signal: controller.signal })) assert.fail(event.type);
      })();
      setImmediate(() => controller.abort(new Error('enough')));
      await assert.rejects(reading, /enough/);
    },
  ));

test('a watch that breaks off is an error, not an end', () =>
  check(
    (request, response) => {
      response.writeHead(200, { 'content-length': 1000 });
      response.write('{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{}}}\n');
      setImmediate(() => request.socket.destroy());
    },
    (client) =>
      assert.rejects(
        async () => {
          for await (const event of client.watch(PODS)) assert.equal(event.type, 'BOOKMARK');
        },
        (error) => hasCode(error, 'CLIENT_BROKEN_OFF'),
      ),
  ));

test('a socket that nobody listens on is unreachable', async () => {
  using client = createHttpClient({ connection: { socketPath: join(tmpdir(), 'skerry-nobody.sock') } });
  await assert.rejects(client.get(WEB), (error) => hasCode(error, 'CLIENT_UNREACHABLE'));
});
