/** Images pulled by our own means into a real containerd, which runs them as if it had pulled them itself. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { silentLogger, systemClock } from '@skerry/base';
import { CONTAINERD, eventually, skipWithout, writeImageLayout } from '@skerry/testkit/processes';
import type { ImageSource } from '../../../images/index.ts';
import { digestOf, formatReference, imageErrors, MediaType } from '../../../images/index.ts';
import {
  type MemoryImage,
  type MemorySource,
  memoryImage,
  memorySource,
  type SourceFaults,
} from '../../../images/testing/memory-images.ts';
import type { Container, Pod } from '../../pod/types.ts';
import { ContainerNode, isReady, SLEEP } from '../../testing/container-node.ts';
import type { ScratchNode } from '../../testing/scratch-node.ts';
import { createContainerdPuller } from './puller.ts';

const skip = skipWithout(...CONTAINERD.needs);
const Mi = 1024 * 1024;

/** By full name; a name that is not here is in no registry. */
const sources = new Map<string, MemorySource>();
const source: ImageSource = {
  resolve: (image, options) => at(formatReference(image)).resolve(image, options),
  manifest: (image, wanted, options) => at(formatReference(image)).manifest(image, wanted, options),
  blob: (image, wanted, options) => at(formatReference(image)).blob(image, wanted, options),
};

function at(name: string): MemorySource {
  const found = sources.get(name);
  if (found === undefined) throw imageErrors.NOT_FOUND({ what: name, where: 'images.test' });
  return found;
}

function offer(name: string, image: MemoryImage, faults: SourceFaults = {}): MemorySource {
  const offered = memorySource(image, faults);
  sources.set(name, offered);
  return offered;
}

let site: ContainerNode;
let node: ScratchNode;
/** The root file system of an image with a shell. */
let busybox: Buffer;
before(async () => {
  if (skip !== false) return;
  site = await ContainerNode.start({ imageSource: async () => source });
  node = site.node;
  busybox = busyboxLayer();
});
after(() => site?.[Symbol.asyncDispose]());

function busyboxLayer(): Buffer {
  const work = mkdtempSync(join(tmpdir(), 'skerry-layer-'));
  try {
    const blobs = join(writeImageLayout(work), 'blobs');
    const read = (digest: string) => readFileSync(join(blobs, digest.replace(':', '/')));
    const index = JSON.parse(readFileSync(join(work, 'layout', 'index.json'), 'utf8')) as Index;
    const manifest = JSON.parse(read(index.manifests[0]?.digest ?? '').toString()) as Manifest;
    return read(manifest.layers[0]?.digest ?? '');
  } finally {
    rmSync(work, { recursive: true });
  }
}

interface Index {
  readonly manifests: readonly { readonly digest: string }[];
}

interface Manifest {
  readonly layers: readonly { readonly digest: string }[];
}

/** A layer that adds one file of random bytes, as `tar` writes it. */
function fileLayer(name: string, size: number): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write('0000000\0'.repeat(2), 108);
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        0ustar\x0000', 148);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, randomBytes(Math.ceil(size / 512) * 512), Buffer.alloc(1024)]);
}

/** Layers sent as they are, named by what they are said to unpack to. */
function withDiffIds(layers: readonly Buffer[], diffIds: readonly string[]): MemoryImage {
  return memoryImage(layers, { rootfs: { type: 'layers', diff_ids: diffIds } });
}

function story(name: string, tell: () => Promise<void>): void {
  test(name, { skip }, tell);
}

const sleeper = (image: string, more: Partial<Container> = {}): Partial<Container> => ({
  image,
  command: ['sh', '-c', SLEEP],
  ...more,
});
const waitingOf = ({ status }: Pod) => status?.containerStatuses?.[0]?.state?.waiting;

/** containerd collects what nobody holds when a lease is given up that way. */
function collectGarbage(): void {
  site.containerd.ctr('leases', 'create', '--id', 'passing');
  site.containerd.ctr('leases', 'delete', '--sync', 'passing');
}

story('an image comes under the name that the pod gives it, and stays as long as it is named', async () => {
  const image = memoryImage([busybox]);
  offer('images.test/team/web:1', image);
  await node.run('web', sleeper('images.test/team/web:1'));
  const pod = await node.until('web', isReady);
  assert.equal(pod.status?.containerStatuses?.[0]?.imageID, `images.test/team/web@${image.target.digest}`);
  const names = site.containerd.ctr('images', 'ls', '-q').split('\n');
  assert.ok(names.includes('images.test/team/web:1'));
  assert.ok(names.includes(`images.test/team/web@${image.target.digest}`));
  assert.equal(site.containerd.ctr('leases', 'ls', '-q').includes('skerry'), false);
  await eventually('the events are written', async () => {
    const events = await node.events('web');
    return (
      events.includes('Normal Pulling Pulling image "images.test/team/web:1"') &&
      events.some((event) => /^Normal Pulled Successfully pulled image .* Image size: \d+ bytes\.$/.test(event))
    );
  });
  collectGarbage();
  await node.run('web-too', sleeper('images.test/team/web:1'));
  await node.until('web-too', isReady);
});

story('of an index comes what this machine runs, and the name stays the index’s', async () => {
  const image = memoryImage([busybox, fileLayer('indexed', 5000)]);
  const [architecture, other] = process.arch === 'x64' ? ['amd64', 'arm64'] : ['arm64', 'amd64'];
  const elsewhere = { ...image.target, digest: digestOf(Buffer.from('elsewhere')) };
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MediaType.index,
      manifests: [
        { ...elsewhere, platform: { os: 'linux', architecture: other } },
        { ...image.target, platform: { os: 'linux', architecture } },
      ],
    }),
  );
  const target = { mediaType: MediaType.index, digest: digestOf(bytes), size: bytes.length };
  offer('images.test/many:1', { ...image, target, content: new Map([...image.content, [target.digest, bytes]]) });
  await node.run('indexed', sleeper('images.test/many:1'));
  const pod = await node.until('indexed', isReady);
  assert.equal(pod.status?.containerStatuses?.[0]?.imageID, `images.test/many@${target.digest}`);
  collectGarbage();
  await node.run('indexed-too', sleeper('images.test/many:1'));
  await node.until('indexed-too', isReady);
});

story('a name that means what it meant brings nothing', async () => {
  const offered = offer('images.test/team/web:1', memoryImage([busybox]));
  await node.run('always', sleeper('images.test/team/web:1', { imagePullPolicy: 'Always' }));
  await node.until('always', isReady);
  assert.deepEqual(offered.asked, ['resolve']);
});

story('a name that means something else now brings that, and only the layers that are missing', async () => {
  const image = memoryImage([busybox, fileLayer('extra', Mi)]);
  const offered = offer('images.test/team/web:1', image);
  await node.run('newer', sleeper('images.test/team/web:1', { imagePullPolicy: 'Always' }));
  const pod = await node.until('newer', isReady);
  assert.equal(pod.status?.containerStatuses?.[0]?.imageID, `images.test/team/web@${image.target.digest}`);
  assert.ok(offered.sentBytes < 2 * Mi, `${offered.sentBytes} bytes came`);
});

story('a pull that breaks again and again, also with the agent, goes on where it was', async () => {
  const size = 8 * Mi;
  let isHeld = true;
  let reached = 0;
  const gate = async () => {
    reached++;
    // The agent goes away in the middle.
    while (isHeld && reached > 4) await systemClock.sleep(10);
  };
  const offered = offer('images.test/big:1', memoryImage([busybox, fileLayer('big', size)]), {
    breakAfterBytes: Mi,
    gate,
  });
  await node.run('big', sleeper('images.test/big:1'));
  await eventually('it is half way', () => reached > 4);
  await node.restartAgent(async () => {
    isHeld = false;
  });
  await node.until('big', isReady);
  const own = size + 10 * 1024;
  assert.ok(offered.sentBytes < own * 1.03, `${offered.sentBytes} bytes for ${own}`);
});

story('an image that lies or is a bomb is refused with the reason, and nothing of it is kept', async () => {
  const damaged = memoryImage([busybox, fileLayer('a', 1000)]);
  const [, layer] = damaged.layers;
  offer('images.test/damaged:1', damaged, {
    change: (digest, bytes) => (digest === layer?.digest ? Buffer.from(bytes).fill(7, 0, 9) : bytes),
  });
  const zeros = Buffer.alloc(100 * Mi);
  offer('images.test/bomb:1', withDiffIds([gzipSync(zeros)], [digestOf(zeros)]));
  const honest = fileLayer('b', 1000);
  offer('images.test/liar:1', withDiffIds([honest], [digestOf(Buffer.from('something else'))]));
  const reasons: readonly (readonly [string, RegExp])[] = [
    ['damaged', /^content is not what it claims to be: sha256:/],
    ['bomb', /^layer sha256:[0-9a-f]+ is not valid: it unpacks to more than 100 times its size$/],
    ['liar', /^layer sha256:[0-9a-f]+ is not valid: it unpacks to sha256:[0-9a-f]+, and the image says sha256:/],
    ['nowhere', /^images.test\/nowhere:1 is not in images.test$/],
  ];
  for (const [name, reason] of reasons) {
    await node.run(name, sleeper(`images.test/${name}:1`));
    const pod = await node.until(name, (one) => waitingOf(one)?.reason === 'ErrImagePull');
    assert.match(waitingOf(pod)?.message ?? '', reason);
    await node.delete(name);
    await node.gone(name);
  }
  assert.equal(site.containerd.ctr('leases', 'ls', '-q').includes('skerry'), false);
  collectGarbage();
  const content = site.containerd.ctr('content', 'ls', '-q');
  assert.ok(!content.includes(digestOf(gzipSync(zeros))) && !content.includes(digestOf(honest)));
});

story('a pod that is deleted while its image comes is gone at once', async () => {
  offer('images.test/endless:1', memoryImage([fileLayer('c', 1000)]), { gate: () => new Promise(() => {}) });
  await node.run('impatient', sleeper('images.test/endless:1'));
  await eventually('the pull has begun', async () => (await node.events('impatient')).length > 0);
  await node.delete('impatient');
  await node.gone('impatient');
});

test('a runtime without these services is asked to pull by itself', async () => {
  const work = mkdtempSync(join(tmpdir(), 'skerry-cri-'));
  const socket = join(work, 'cri.sock');
  const server = createServer((_request, response) => {
    response.writeHead(200, {
      'content-type': 'application/grpc',
      'grpc-status': '12',
      'grpc-message': 'unknown service',
    });
    response.end();
  });
  const puller = createContainerdPuller({ socket, source: async () => source, clock: systemClock, log: silentLogger });
  try {
    server.listen(socket);
    await once(server, 'listening');
    assert.equal(await puller.isPossible(), false);
  } finally {
    puller.close();
    server.close();
    rmSync(work, { recursive: true, force: true });
  }
});
