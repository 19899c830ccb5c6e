/** An image over a link that is slow and breaks all the time, while its agent is killed: what it costs in bytes. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { silentLogger, systemClock } from '@skerry/base';
import { Loopback } from '@skerry/link/testing';
import { runs } from '@skerry/testkit';
import { TcpProxy } from '@skerry/testkit/processes';
import type { PullProgress } from '../contract.ts';
import { openImageStore } from '../image-store.ts';
import { parseReference } from '../reference.ts';
import { memoryImage, memorySource } from '../testing/memory-images.ts';
import { createImageDoor } from './image-door.ts';
import type { AgentTask } from './testing/pulling-agent.ts';

const PROGRAM = new URL('./testing/pulling-agent.ts', import.meta.url).pathname;
const NAME = 'registry.example/team/web:1';
const MB = 1_000_000;

interface SlowLink {
  readonly imageBytes: number;
  readonly bytesPerSecond: number;
  /** Breaks come after so many bytes, and not by a clock, so that they cost the same on a machine that is busy. */
  readonly breakAfterSeconds: number;
}

interface Cost {
  /** What was lost on its way at breaks, and what came and was not kept when the agent was killed: percent of the image. */
  readonly twice: number;
  /** All that the cloud sent beyond the image: that, handshakes and frames. */
  readonly more: number;
}

function describe({ twice, more }: Cost): string {
  return `${twice.toFixed(2)} % sent twice, ${more.toFixed(2)} % more with handshakes and frames`;
}

async function pullOver({ imageBytes, bytesPerSecond, breakAfterSeconds }: SlowLink): Promise<Cost> {
  const image = memoryImage([randomBytes(imageBytes)]);
  const source = memorySource(image);
  const blobs = createImageDoor({ sourceFor: () => source, log: silentLogger });
  await using cloud = await new Loopback({ hub: { blobs } }).start();
  await using proxy = await TcpProxy.start(cloud.endpoint);
  proxy.bytesPerSecond = bytesPerSecond;
  const directory = mkdtempSync(join(tmpdir(), 'skerry-slow-link-'));
  const task: AgentTask = { endpoint: proxy.address, tls: cloud.tlsOf('n1'), directory, image: NAME };
  using breaking = breakEvery(proxy, bytesPerSecond * breakAfterSeconds);
  try {
    const first = spawnAgent(task);
    for await (const { presentBytes = 0 } of first.news) if (presentBytes > imageBytes / 2) break;
    await kill(first.process);
    const second = spawnAgent(task);
    for await (const _news of second.news);
    assert.equal(second.process.exitCode, 0);
    assert.ok(breaking.count >= (imageBytes / bytesPerSecond / breakAfterSeconds) * 0.9, `${breaking.count} breaks`);
    // Opened once more, the store gives what the pull has verified.
    const store = await openImageStore(join(directory, 'images'), { clock: systemClock, log: silentLogger });
    assert.deepEqual(store.find(parseReference(NAME))?.layers, image.layers);
    const askedTwice = source.sentBytes - image.config.size - imageBytes;
    const [twice, more] = [proxy.lost.down + askedTwice, proxy.taken.down - imageBytes];
    return { twice: (twice / imageBytes) * 100, more: (more / imageBytes) * 100 };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function breakEvery(proxy: TcpProxy, bytes: number): Disposable & { readonly count: number } {
  let count = 0;
  const timer = setInterval(() => {
    if (proxy.taken.down < bytes * (count + 1)) return;
    count++;
    proxy.break();
  }, 5);
  return {
    get count() {
      return count;
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

interface Agent {
  readonly process: ChildProcess;
  readonly news: AsyncIterable<Partial<PullProgress>>;
}

function spawnAgent(task: AgentTask): Agent {
  const child = spawn(process.execPath, ['--conditions=source', PROGRAM, JSON.stringify(task)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  async function* news(): AsyncGenerator<Partial<PullProgress>> {
    for await (const line of createInterface({ input: child.stdout })) yield JSON.parse(line) as Partial<PullProgress>;
    await exited;
  }
  return { process: child, news: news() };
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

test('20 MB over 8 Mbit/s that breaks every 3 s, and through a kill -9 of the agent: less than 3 % is sent twice', async (context) => {
  const { twice, more } = await pullOver({ imageBytes: 20 * MB, bytesPerSecond: MB, breakAfterSeconds: 3 });
  context.diagnostic(describe({ twice, more }));
  assert.ok(twice < 3, `${twice.toFixed(2)} % were sent twice`);
  assert.ok(more < 3, `with all that goes with it, ${more.toFixed(2)} % more were sent`);
});

// Every connection costs its handshake, here for each 375 kB of the image.
if (runs(1) > 1) {
  test('200 MB over 1 Mbit/s that breaks every 3 s, and through a kill -9 of the agent: less than 3 % is sent twice', async (context) => {
    const { twice, more } = await pullOver({ imageBytes: 200 * MB, bytesPerSecond: 0.125 * MB, breakAfterSeconds: 3 });
    context.diagnostic(describe({ twice, more }));
    assert.ok(twice < 3, `${twice.toFixed(2)} % were sent twice`);
  });
}
