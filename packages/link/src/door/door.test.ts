import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger, systemClock } from '@skerry/base';
import { MAX_STREAM_MESSAGE_BYTES } from '../limits.ts';
import { Loopback } from '../testing/index.ts';
import { openThroughDoor, serveLinkDoor } from './index.ts';

interface Site {
  readonly cloud: Loopback;
  readonly door: { readonly socket: string; readonly token: string };
}

/** A process at the door of an agent whose cloud sends back what comes, after the header it got. */
async function check(use: (site: Site) => Promise<void>, isLinked = true): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-door-'));
  await using stack = new AsyncDisposableStack();
  stack.defer(() => rmSync(folder, { recursive: true }));
  const cloud = stack.use(
    await new Loopback({
      hub: {
        streamHandler: async (node, header, stream) => {
          await stream.send(Buffer.from(`${node} ${Buffer.from(header).toString()}`));
          for await (const message of stream.incoming) await stream.send(message);
        },
      },
    }).start(),
  );
  const edge = cloud.edge('n1');
  if (isLinked) {
    edge.link.start();
    await edge.until(({ connected }) => connected);
  }
  const door = { socket: join(folder, 'door.sock'), token: 'secret' };
  const open = (service: string, signal: AbortSignal) => {
    if (service !== 'road') return Promise.reject(new Error(`there is no ${service}`));
    return edge.link.openStream(Buffer.from('{"kind":"road"}'), signal);
  };
  const serving = await serveLinkDoor({ ...door, open, clock: systemClock, log: silentLogger });
  stack.defer(() => serving.close());
  await use({ cloud, door });
}

async function refusalOf(opening: Promise<unknown>): Promise<string> {
  const error: unknown = await opening.then(
    () => assert.fail('it was let in'),
    (failure: unknown) => failure,
  );
  assert.ok(error instanceof Error);
  return error.message;
}

test('a process speaks with the cloud as the node, in messages, both ways, to the end of each', () =>
  check(async ({ door }) => {
    const stream = await openThroughDoor(door, 'road');
    const sizes = [1, 0, MAX_STREAM_MESSAGE_BYTES, 777];
    const sending = (async () => {
      for (const size of sizes) await stream.send(new Uint8Array(size).fill(size));
      stream.end();
    })();
    const got: Uint8Array[] = [];
    for await (const message of stream.incoming) got.push(message.slice());
    await sending;
    assert.equal(Buffer.from(got[0] ?? []).toString(), 'n1 {"kind":"road"}');
    assert.deepEqual(
      got.slice(1).map(({ length, ...bytes }) => [length, bytes[0] ?? -1]),
      sizes.map((size) => [size, size === 0 ? -1 : size % 256]),
    );
    await stream.closed;
  }));

test('whoever does not know the token, or asks for what there is not, is told so', () =>
  check(async ({ door }) => {
    assert.match(await refusalOf(openThroughDoor({ ...door, token: 'guess' }, 'road')), /no such token/);
    assert.match(await refusalOf(openThroughDoor(door, 'api')), /there is no api/);
    assert.equal(statSync(door.socket).mode & 0o777, 0o600);
  }));

test('a node that is cut off says so', () =>
  check(async ({ door }) => {
    assert.match(await refusalOf(openThroughDoor(door, 'road')), /not connected/);
  }, false));

test('a process that goes away ends its stream in the cloud', () =>
  check(async ({ cloud, door }) => {
    const stream = await openThroughDoor(door, 'road');
    assert.equal(cloud.hub.session('n1')?.streams, 1);
    stream.abort('gone');
    const other = await openThroughDoor(door, 'road');
    while (cloud.hub.session('n1')?.streams !== 1) await new Promise(setImmediate);
    other.abort('gone');
  }));
