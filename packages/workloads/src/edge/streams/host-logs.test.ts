import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { streamPair } from '@skerry/kube/streaming';
import { isHostLog, sendHostLog } from './host-logs.ts';

const root = mkdtempSync(join(tmpdir(), 'skerry-host-logs-'));
const BIG = 'x'.repeat(100_000);
mkdirSync(join(root, 'pods'));
writeFileSync(join(root, 'a&b.log'), 'words\n');
writeFileSync(join(root, 'pods', 'big.log'), BIG);
symlinkSync('/etc/hostname', join(root, 'out'));
after(() => rmSync(root, { recursive: true }));

async function read(path: string): Promise<string> {
  const { opener, answerer } = streamPair();
  const sent = sendHostLog(path, answerer, root).finally(() => answerer.end());
  const chunks: Uint8Array[] = [];
  for await (const chunk of opener.incoming) chunks.push(chunk);
  await sent;
  return Buffer.concat(chunks).toString();
}

test('a directory is a page of links', async () => {
  const page = await read('/logs/');
  assert.match(page, /<a href="a&b.log">a&#38;b.log<\/a>/);
  assert.match(page, /<a href="pods\/">pods\/<\/a>/);
});

test('a file is given as it is', async () => {
  assert.equal(await read('/logs/a%26b.log'), 'words\n');
  assert.equal(await read('/logs/pods/big.log'), BIG);
});

test('nothing outside is given', async () => {
  for (const path of ['/logs/out', '/logs/../x', '/logs/%2e%2e/%2e%2e/etc/hostname', '/logs/missing'])
    await assert.rejects(read(path), /the node has no/, path);
  assert.equal(isHostLog('/logsx'), false);
});
