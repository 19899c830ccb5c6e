/** Images and registries that are broken or mean harm, at a real node: a clear word in the pod, nothing written outside, flat memory. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { Pod } from '@skerry/api/types';
import { eventually, skipWithout, TestCloud, TestEdge } from '@skerry/testkit/processes';
import { residentBytes } from './client.ts';

const MIB = 2 ** 20;
/** Of the agent, over all of it: its collector of garbage is in no hurry. */
const MAX_GROWTH = 40 * MIB;
const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

type Answer = (kind: 'manifests' | 'blobs', name: string, response: ServerResponse) => void;

suite('bad images', { skip: skipWithout('bubblewrap') }, () => {
  const work = mkdtempSync(join(tmpdir(), 'skerry-bad-'));
  const outside = join(work, 'outside');
  const answers = new Map<string, Answer>();
  let cloud: TestCloud;
  let edge: TestEdge;
  let registry: Server;

  before(async () => {
    mkdirSync(outside);
    registry = createServer(({ url = '' }, response) => {
      const [, repository = '', kind, name = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(url) ?? [];
      const answer = answers.get(repository);
      if (answer === undefined) response.writeHead(404).end();
      else answer(kind === 'blobs' ? 'blobs' : 'manifests', name, response);
    });
    await once(registry.listen(0, '127.0.0.1'), 'listening');
    cloud = await TestCloud.start();
    edge = await TestEdge.join(cloud, { name: 'edge-1' });
    await cloud.kubectl(['wait', '--for=condition=Ready', 'node/edge-1', '--timeout=60s']);
    // The code of images is loaded, and counts from here on.
    answers.set('first', imageAnswer(tarOf('first', (at) => writeFileSync(join(at, 'file'), 'x'))));
    await check('first', /no command specified/);
    memory = residentBytes(edge.process.pid);
  });
  after(async () => {
    await edge?.[Symbol.asyncDispose]();
    await cloud?.[Symbol.asyncDispose]();
    registry?.closeAllConnections();
    registry?.close();
    rmSync(work, { recursive: true, force: true });
  });
  let memory = 0;

  /** A pod of this image waits with this message, and there is an event about it. */
  async function check(name: string, message: RegExp): Promise<void> {
    const image = `127.0.0.1:${(registry.address() as AddressInfo).port}/${name}:1`;
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { containers: [{ name: 'main', image }] } };
    await cloud.apply(pod);
    await eventually(`${name} waits with the reason`, async () => {
      const { status } = await cloud.get<Pod>(['pod', name]);
      const waiting = status?.containerStatuses?.[0]?.state?.waiting;
      assert.match(waiting?.message ?? JSON.stringify(status), message);
      return true;
    });
    await eventually(`${name} has an event`, async () =>
      message.test(await cloud.kubectl(['get', 'events', '--field-selector', `involvedObject.name=${name}`])),
    );
    await cloud.kubectl(['delete', 'pod', name, '--wait=false', '--grace-period=0']);
  }

  /** What GNU tar makes of a folder. */
  function tarOf(name: string, fill: (at: string) => void, ...options: readonly string[]): Buffer {
    const [folder, file] = [join(work, name), join(work, `${name}.tar`)];
    mkdirSync(folder);
    fill(folder);
    const entries = options.length > 0 ? options : ['.'];
    execFileSync('tar', ['-C', folder, '--numeric-owner', '--owner=0', '--group=0', '-P', '-cf', file, ...entries]);
    return readFileSync(file);
  }

  test('a layer that leads out by its names', async () => {
    const fill = (at: string) => writeFileSync(join(at, 'pwned'), 'x');
    answers.set('climb', imageAnswer(tarOf('climb', fill, `--transform=s,^,../../../../../..${outside}/,`, 'pwned')));
    await check('climb', /layer sha256:\w+ of the image is refused: .* leads out of the image/);
    answers.set('absolute', imageAnswer(tarOf('absolute', fill, `--transform=s,^,${outside}/,`, 'pwned')));
    await check('absolute', /is refused: .* is an absolute path/);
  });

  test('a layer that leads out by its links', async () => {
    const file = tarOf('link', (at) => symlinkSync(outside, join(at, 'out')), 'out');
    writeFileSync(join(work, 'link.tar'), file);
    mkdirSync(join(work, 'behind', 'out'), { recursive: true });
    writeFileSync(join(work, 'behind', 'out', 'pwned'), 'x');
    execFileSync('tar', ['-C', join(work, 'behind'), '-rf', join(work, 'link.tar'), 'out/pwned']);
    answers.set('link', imageAnswer(readFileSync(join(work, 'link.tar'))));
    await check('link', /is refused: .* leads through a link to nowhere in the image/);
  });

  test('a layer with a device', async () => {
    answers.set('device', imageAnswer(tarOf('device', () => {}, '-C', '/dev', 'null')));
    await check('device', /is refused: "null" is a device/);
  });

  test('a layer that unpacks to far more than its size', async () => {
    const folder = join(work, 'bomb');
    mkdirSync(folder);
    writeFileSync(join(folder, 'zeros'), '');
    truncateSync(join(folder, 'zeros'), 256 * MIB);
    const layer = execFileSync('tar', ['-C', folder, '-czf', '-', 'zeros'], { maxBuffer: 64 * MIB });
    answers.set('bomb', imageAnswer(layer, 'of what it unpacks to'));
    await check('bomb', /is refused: it unpacks to more than 100 times its size/);
  });

  test('content that is not what it claims to be', async () => {
    const layer = tarOf('lie', (at) => writeFileSync(join(at, 'file'), 'x'));
    const honest = imageAnswer(layer);
    const size = layer.length;
    answers.set('lie', (kind, name, response) =>
      kind === 'blobs' && name === digestOf(layer)
        ? void response.end(Buffer.alloc(size))
        : honest(kind, name, response),
    );
    await check('lie', /content is not what it claims to be: sha256:\w+ hashes to sha256/);
  });

  test('a manifest of 1 GiB, announced or not', async () => {
    answers.set('huge', (_kind, _name, response) => {
      response.writeHead(200, { 'Content-Type': MANIFEST, 'Content-Length': 2 ** 30 });
      pour(response);
    });
    await check('huge', /exceeds 4194304 bytes/);
    answers.set('endless', (_kind, _name, response) => pour(response.writeHead(200, { 'Content-Type': MANIFEST })));
    await check('endless', /exceeds 4194304 bytes/);
  });

  test('a layer that does not end', async () => {
    const honest = imageAnswer(tarOf('long', (at) => writeFileSync(join(at, 'file'), 'x')));
    answers.set('long', (kind, name, response) => (kind === 'blobs' ? pour(response) : honest(kind, name, response)));
    await check('long', /it is longer than announced/);
  });

  test('pages for people, and registries that are out of order', async () => {
    answers.set('html', (_kind, _name, response) => {
      response.writeHead(200, { 'Content-Type': 'text/html' }).end('<html>sign in</html>');
    });
    await check('html', /it sent a page for people/);
    answers.set('broken', (_kind, _name, response) => void response.writeHead(500).end('oops'));
    await check('broken', /it answered 500/);
  });

  test('nothing is outside, nothing is left, and memory is flat', async () => {
    assert.deepEqual(readdirSync(outside), []);
    const trees = join(edge.dir, 'edge', 'edge-1', 'runtime', 'images', 'trees');
    assert.ok(existsSync(trees));
    assert.equal(readdirSync(trees).length, 1, 'only the first image was unpacked');
    const growth = residentBytes(edge.process.pid) - memory;
    assert.ok(growth < MAX_GROWTH, `${growth} bytes`);
  });
});

function digestOf(bytes: Buffer | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** A registry's answers for an image with this layer. */
function imageAnswer(layer: Buffer, unpacked: Buffer | string = layer): Answer {
  const rootfs = { type: 'layers', diff_ids: [digestOf(unpacked)] };
  const config = JSON.stringify({ os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64', rootfs });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf(config), size: config.length },
    layers: [{ mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: digestOf(layer), size: layer.length }],
  });
  const blobs = new Map<string, Buffer | string>([
    [digestOf(layer), layer],
    [digestOf(config), config],
  ]);
  return (kind, name, response) => {
    const content = kind === 'manifests' ? manifest : blobs.get(name);
    if (content === undefined) return void response.writeHead(404).end();
    const type = kind === 'manifests' ? MANIFEST : 'application/octet-stream';
    response.writeHead(200, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(content) });
    response.end(content);
  };
}

/** As long as somebody reads. */
function pour(response: ServerResponse): void {
  if (response.req.method === 'HEAD') return void response.end();
  const chunk = Buffer.alloc(64 * 1024);
  const push = (): void => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on('drain', push);
  push();
}
