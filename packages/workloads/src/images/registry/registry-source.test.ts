import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasCode, messageOf, systemClock } from '@skerry/base';
import { fakeClock } from '@skerry/testkit';
import { skipWithout } from '@skerry/testkit/processes';
import type { Descriptor, FetchOptions, ImageReference, ImageSource } from '../contract.ts';
import { digestOf } from '../digest.ts';
import { MAX_MANIFEST_BYTES, MediaType } from '../manifest.ts';
import { parseReference } from '../reference.ts';
import { endpointsOf, type RegistrySettings } from './access.ts';
import { parseChallenge } from './challenge.ts';
import { Agents, exchange } from './exchange.ts';
import { createRegistrySource } from './registry-source.ts';
import { type Closed, closedTo, guardedLookup } from './shield.ts';

const BLOB = Buffer.from('0123456789'.repeat(1000));
const WANTED: Descriptor = { mediaType: 'x', digest: digestOf(BLOB), size: BLOB.length };
const MANIFEST = Buffer.from(JSON.stringify({ schemaVersion: 2, config: WANTED, layers: [] }));

/** A server on loopback that answers as a test says. */
class Answering implements AsyncDisposable {
  readonly seen: string[] = [];
  readonly #server;
  constructor(listener: RequestListener) {
    this.#server = createServer((request, response) => {
      this.seen.push(`${request.method} ${request.url} ${request.headers.authorization ?? '-'}`);
      listener(request, response);
    });
  }
  async start(): Promise<this> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    return this;
  }
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }
  get image(): ImageReference {
    return parseReference(`${this.host}/team/web:1`);
  }
  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const answering = (listener: RequestListener) => new Answering(listener).start();
const sourceOf = (settings: RegistrySettings = {}, clock = systemClock): ImageSource =>
  createRegistrySource({ clock, settings: () => settings });

function serve({ method, url = '', headers }: IncomingMessage, response: ServerResponse): void {
  const isManifest = url.includes('/manifests/');
  const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
  const body = (isManifest ? MANIFEST : BLOB).subarray(start);
  response.writeHead(start > 0 ? 206 : 200, {
    'Content-Type': isManifest ? MediaType.manifest : 'application/octet-stream',
    'Content-Length': body.length,
    'Docker-Content-Digest': digestOf(isManifest ? MANIFEST : BLOB),
    ...(start > 0 ? { 'Content-Range': `bytes ${start}-${BLOB.length - 1}/${BLOB.length}` } : {}),
  });
  response.end(method === 'HEAD' ? undefined : body);
}

async function read(source: ImageSource, image: ImageReference, offset = 0, options: FetchOptions = {}) {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source.blob(image, WANTED, { offset, ...options })) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const checkFails = (work: Promise<unknown>, code: string, message = /./) =>
  assert.rejects(work, (error) => {
    assert.ok(hasCode(error, code), messageOf(error));
    assert.match(error.message, message);
    return true;
  });

/** Both a manifest and a blob fail so when the registry answers with this. */
async function checkAnswer(listener: RequestListener, code: string, message?: RegExp): Promise<void> {
  await using registry = await answering(listener);
  await checkFails(sourceOf().resolve(registry.image), code, message);
  await checkFails(read(sourceOf(), registry.image), code, message);
}

test('names, manifests and blobs are read', async () => {
  await using registry = await answering(serve);
  const source = sourceOf();
  const target = await source.resolve(registry.image);
  assert.deepEqual(target, { digest: digestOf(MANIFEST), size: MANIFEST.length, mediaType: MediaType.manifest });
  assert.deepEqual(await source.manifest(registry.image, target), MANIFEST);
  assert.equal(await read(source, registry.image), BLOB.toString());
  const questions = [`HEAD /v2/team/web/manifests/1 -`, `GET /v2/team/web/manifests/${target.digest} -`];
  assert.deepEqual(registry.seen, [...questions, `GET /v2/team/web/blobs/${WANTED.digest} -`]);
});

test('a blob is read from the wanted byte, whether the registry knows ranges or not', async () => {
  await using able = await answering(serve);
  assert.equal(await read(sourceOf(), able.image, 9995), '56789');
  await using unable = await answering((request, response) => {
    delete request.headers.range;
    serve(request, response);
  });
  assert.equal(await read(sourceOf(), unable.image, 9995), '56789');
});

test('a registry that says nothing in headers is asked for the manifest itself', async () => {
  await using registry = await answering(({ method }, response) => {
    response.end(method === 'HEAD' ? undefined : MANIFEST);
  });
  assert.deepEqual(await sourceOf().resolve(registry.image), {
    digest: digestOf(MANIFEST),
    size: MANIFEST.length,
    mediaType: MediaType.manifest,
  });
});

const PASSWORD = { username: 'me', password: 'secret' };
const BASIC = `Basic ${Buffer.from('me:secret').toString('base64')}`;

test('a password is shown where one is asked for, and once known without being asked', async () => {
  await using registry = await answering((request, response) => {
    if (request.headers.authorization === BASIC) serve(request, response);
    else response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="x"' }).end();
  });
  const source = sourceOf();
  await source.resolve(registry.image, { credentials: PASSWORD });
  await read(source, registry.image, 0, { credentials: PASSWORD });
  assert.deepEqual(
    registry.seen.map((line) => line.endsWith(BASIC)),
    [false, true, true],
  );
  await checkFails(source.resolve(registry.image), 'IMAGE_UNAUTHORIZED', /imagePullSecrets/);
  const wrong = { credentials: { username: 'me', password: 'wrong' } };
  await checkFails(source.resolve(registry.image, wrong), 'IMAGE_UNAUTHORIZED', /not accepted/);
});

test('a token is fetched from the service that the registry names', async () => {
  await using registry = await answering((request, response) => {
    const { url = '', headers } = request;
    if (url.startsWith('/token')) response.end(JSON.stringify({ token: 'abc', expires_in: 300 }));
    else if (headers.authorization === 'Bearer abc') serve(request, response);
    else {
      const challenge = `Bearer realm="http://${headers.host}/token",service="s",scope="repository:team/web:pull"`;
      response.writeHead(401, { 'WWW-Authenticate': challenge }).end();
    }
  });
  const source = sourceOf();
  await source.resolve(registry.image, { credentials: PASSWORD });
  await read(source, registry.image, 0, { credentials: PASSWORD });
  const asked = registry.seen.filter((line) => line.includes('/token'));
  assert.deepEqual(asked, [`GET /token?service=s&scope=repository%3Ateam%2Fweb%3Apull ${BASIC}`]);
  await sourceOf().resolve(registry.image, { credentials: { ...PASSWORD, identityToken: 'refresh' } });
  assert.ok(registry.seen.includes('POST /token -'));
});

test('credentials stay with the registry when it redirects', async () => {
  await using store = await answering(serve);
  await using registry = await answering((request, response) => {
    if (request.headers.authorization !== BASIC) {
      response.writeHead(401, { 'WWW-Authenticate': 'Basic' }).end();
    } else response.writeHead(307, { Location: `http://${store.host}${request.url}` }).end();
  });
  assert.equal(await read(sourceOf(), registry.image, 0, { credentials: PASSWORD }), BLOB.toString());
  assert.ok(store.seen.length > 0 && store.seen.every((line) => line.endsWith(' -')), store.seen.join());
});

test('a redirect leads neither in a circle, nor out of TLS, nor to files', async () => {
  await checkAnswer(
    ({ url }, response) => response.writeHead(302, { Location: url }).end(),
    'IMAGE_BAD_ANSWER',
    /redirects more than 5 times/,
  );
  for (const Location of ['http://192.0.2.1/x', 'file:///etc/passwd', 'ftp://127.0.0.1/x']) {
    await checkAnswer(
      (_, response) => response.writeHead(302, { Location }).end(),
      'IMAGE_BAD_ANSWER',
      /not encrypted and not permitted/,
    );
  }
});

/** A registry elsewhere, for which the server on loopback is only a mirror that settings name. */
const far = (host: string) => ({ 'far.example': { mirrors: [`http://${host}`] } });
const shielded = (settings: RegistrySettings, closed: Closed = () => false): ImageSource =>
  createRegistrySource({ clock: systemClock, settings: () => settings, closed });

test('the machine of the source is asked where settings name it, and not where an image does', async () => {
  await using registry = await answering(serve);
  await checkFails(shielded({}).resolve(registry.image), 'IMAGE_BAD_ANSWER', /closed to it/);
  assert.deepEqual(registry.seen, []);
  assert.equal(await read(shielded({ [registry.host]: {} }), registry.image), BLOB.toString());
  assert.equal(await read(shielded(far(registry.host)), parseReference('far.example/team/web:1')), BLOB.toString());
});

test('what is closed is closed by name, and by way of a redirect or a token service', async () => {
  await using behind = await answering(serve);
  const closed = closedTo(new URL(`http://${behind.host}`));
  await using redirecting = await answering((_, response) =>
    response.writeHead(307, { Location: `http://${behind.host}/v2/` }).end(),
  );
  await using challenging = await answering((_, response) =>
    response.writeHead(401, { 'WWW-Authenticate': `Bearer realm="http://${behind.host}/token"` }).end(),
  );
  for (const { host, image } of [behind, redirecting, challenging]) {
    await checkFails(shielded({ [host]: {} }, closed).resolve(image), 'IMAGE_BAD_ANSWER', /closed to it/);
  }
  assert.deepEqual(behind.seen, []);
});

test('a registry elsewhere leads nobody to this machine, by a redirect or by a token service', async () => {
  const inner = await answering(serve);
  await using _inner = inner;
  const elsewhere = { plainHttp: true, isMirror: false, isNamed: true, base: 'http://far.example' };
  const context = { clock: systemClock, agents: new Agents(), signal: undefined, where: 'far', endpoint: elsewhere };
  for (const url of [`http://${inner.host}/`, 'https://localhost/', 'https://[::ffff:127.0.0.1]/', 'https://0/']) {
    await checkFails(
      exchange(context, { method: 'GET', url: new URL(url), headers: {} }),
      'IMAGE_BAD_ANSWER',
      /closed to it/,
    );
  }
  assert.deepEqual(inner.seen, []);
});

test('a name that DNS gives to this machine is no way to it', async () => {
  const asked = (all: boolean) =>
    new Promise<unknown>((resolve) => guardedLookup('localhost', { all }, (error) => resolve(error)));
  for (const all of [false, true]) assert.match(messageOf(await asked(all)), /an address of the machine itself/);
});

test('answers that are no success are told apart', async () => {
  const status = (code: number) => (_: IncomingMessage, response: ServerResponse) => response.writeHead(code).end();
  await checkAnswer(status(404), 'IMAGE_NOT_FOUND', /is not in registry 127/);
  await checkAnswer(status(500), 'IMAGE_UNAVAILABLE', /answered 500/);
  await checkAnswer(status(429), 'IMAGE_UNAVAILABLE');
  await checkAnswer(status(403), 'IMAGE_UNAUTHORIZED');
  await checkAnswer(status(400), 'IMAGE_BAD_ANSWER', /answered 400/);
  await checkAnswer((_, response) => response.destroy(), 'IMAGE_UNREACHABLE');
});

test('a page for people is no image', () =>
  checkAnswer(
    (_, response) => response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8' }).end('<html>'),
    'IMAGE_BAD_ANSWER',
    /a page for people/,
  ));

test('what a registry says of its failure is passed on, short and printable', async () => {
  const message = `\u001b[31mno\nsuch ${'x'.repeat(5000)}`;
  await using registry = await answering((_, response) =>
    response.writeHead(403).end(JSON.stringify({ errors: [{ code: 'DENIED', message }] })),
  );
  await checkFails(sourceOf().manifest(registry.image, WANTED), 'IMAGE_UNAUTHORIZED', /answered 403: [ -~]{150,300}$/);
});

/** Sends as long as somebody reads; says how much that was. */
function endless(response: ServerResponse): () => number {
  let sent = 0;
  const chunk = Buffer.alloc(64 * 1024);
  const push = (): void => {
    while (!response.destroyed && response.write(chunk)) sent += chunk.length;
  };
  response.on('drain', push);
  push();
  return () => sent;
}

test('an endless manifest is cut off', async () => {
  let sent = () => 0;
  await using registry = await answering((_, response) => {
    sent = endless(response.writeHead(200, { 'Content-Type': MediaType.manifest }));
  });
  await checkFails(sourceOf().manifest(registry.image, WANTED), 'IMAGE_TOO_LARGE');
  assert.ok(sent() < MAX_MANIFEST_BYTES + 16 * 1024 * 1024, `${sent()} bytes`);
});

test('a manifest that announces 1 GiB is not read at all', async () => {
  await using registry = await answering((_, response) => {
    response.writeHead(200, { 'Content-Type': MediaType.manifest, 'Content-Length': 2 ** 30 });
    response.flushHeaders();
  });
  await checkFails(sourceOf().manifest(registry.image, WANTED), 'IMAGE_TOO_LARGE');
});

test('a blob of another length than the manifest says is not begun', async () => {
  await using registry = await answering((_, response) => response.end('short'));
  await checkFails(read(sourceOf(), registry.image), 'IMAGE_BAD_ANSWER', /announces 5 bytes instead of 10000/);
});

test('who does not answer, or drips, is given up', async () => {
  const asked = Promise.withResolvers<void>();
  await using silent = await answering(() => asked.resolve());
  const clock = fakeClock();
  const resolving = checkFails(sourceOf({}, clock).resolve(silent.image), 'IMAGE_UNREACHABLE', /within 30 s/);
  await asked.promise;
  await clock.advance(30_000);
  await resolving;
  await using dripping = await answering((_, response) => response.writeHead(200).write('x'));
  const slow = sourceOf({}, clock).blob(dripping.image, WANTED)[Symbol.asyncIterator]();
  await slow.next();
  const second = checkFails(slow.next(), 'IMAGE_UNREACHABLE', /less than 4096 bytes/);
  await clock.advance(30_000);
  await second;
});

test('an aborted caller is told its own reason', async () => {
  const stop = new AbortController();
  await using registry = await answering(() => stop.abort(new Error('enough')));
  await assert.rejects(sourceOf().resolve(registry.image, { signal: stop.signal }), /enough/);
});

test('mirrors are asked first, without credentials, and passed over when they fail', async () => {
  await using mirror = await answering((_, response) => response.writeHead(500).end());
  await using registry = await answering(serve);
  const settings = { [registry.host]: { mirrors: [`http://${mirror.host}/cache`] } };
  await sourceOf(settings).resolve(registry.image, { credentials: PASSWORD });
  assert.deepEqual(mirror.seen, ['HEAD /cache/v2/team/web/manifests/1 -']);
  assert.equal(registry.seen.length, 1);
});

test('plain HTTP is for this machine, or where it is permitted', () => {
  const baseOf = (name: string, settings: RegistrySettings = {}) =>
    endpointsOf(parseReference(`${name}/web`), settings).map(({ base }) => base);
  assert.deepEqual(baseOf('r.example'), ['https://r.example']);
  assert.deepEqual(baseOf('r.example', { 'r.example': { plainHttp: true } }), ['http://r.example']);
  assert.deepEqual(baseOf('127.0.0.1:5000'), ['http://127.0.0.1:5000']);
  assert.deepEqual(baseOf('localhost:5000', { 'localhost:5000': { plainHttp: false } }), ['https://localhost:5000']);
  assert.deepEqual(baseOf('docker.io', { constructor: {} }), ['https://registry-1.docker.io']);
  assert.deepEqual(baseOf('127.evil.example'), ['https://127.evil.example']);
});

test('a registry with TLS is trusted by the authority that its settings name, and by no other', {
  skip: skipWithout('openssl'),
}, async () => {
  using certificate = selfSigned();
  const server = createTlsServer({ key: certificate.key, cert: certificate.cert }, serve);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  try {
    const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const image = parseReference(`${host}/web:1`);
    const trusting = sourceOf({ [host]: { ca: certificate.cert } });
    assert.equal((await trusting.resolve(image)).digest, digestOf(MANIFEST));
    await checkFails(sourceOf({ [host]: { plainHttp: false } }).resolve(image), 'IMAGE_UNREACHABLE', /self-signed/);
    await checkFails(sourceOf({ [host]: { plainHttp: true } }).resolve(image), 'IMAGE_UNREACHABLE');
    await using plain = await answering(serve);
    const strict = sourceOf({ [plain.host]: { plainHttp: false } });
    await checkFails(strict.resolve(plain.image), 'IMAGE_UNREACHABLE', /does not speak TLS/);
  } finally {
    server.close();
  }
});

/** For 127.0.0.1, made on the spot. */
function selfSigned(): { readonly key: string; readonly cert: string } & Disposable {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-tls-'));
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const options = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-subj',
    '/CN=registry',
    '-days',
    '2',
  ];
  execFileSync(
    'openssl',
    ['req', '-x509', ...options, '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', key, '-out', cert],
    {
      stdio: 'ignore',
    },
  );
  return {
    key: readFileSync(key, 'utf8'),
    cert: readFileSync(cert, 'utf8'),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true }),
  };
}

test('challenges are read, and strange ones are none', () => {
  const bearer = { scheme: 'bearer', realm: 'https://a/t', service: 's "x"', scope: 'a:b:pull,push' };
  assert.deepEqual(parseChallenge('Bearer realm="https://a/t",service="s \\"x\\"", scope="a:b:pull,push"'), bearer);
  assert.deepEqual(parseChallenge('basic'), { scheme: 'basic' });
  for (const header of ['', 'Negotiate', 'Bearer', 'Bearer realm=no-url', `Basic ${'x'.repeat(5000)}`]) {
    assert.equal(parseChallenge(header), undefined, header);
  }
});
