import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasCode } from '@skerry/base';
import fc from 'fast-check';
import { createSealer, openSealer, openWithPassphrase, rotateSealKey, sealWithPassphrase } from './index.ts';

const KEY = Uint8Array.from({ length: 32 }, (_, i) => i);
const OTHER = Uint8Array.from({ length: 32 }, (_, i) => i + 1);
const CELL = 'core/secrets/default/db';
const PLAIN = Buffer.from('hunter2');

/** Opens a data directory with what the case puts into the key file, and says which code refuses it. */
function check(keyText: string | undefined, expectedCode: string | undefined): void {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-seal-'));
  const options = { keyFile: join(directory, 'key'), checkFile: join(directory, 'data', 'check') };
  try {
    openSealer(options);
    assert.equal(statSync(options.keyFile).mode & 0o777, 0o600);
    if (keyText === undefined) rmSync(options.keyFile);
    else if (keyText !== 'same') writeFileSync(options.keyFile, keyText);
    if (expectedCode) assert.throws(() => openSealer(options), { code: expectedCode });
    else openSealer(options);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('the key that sealed the data opens it at the next start', () => check('same', undefined));
test('a missing key refuses to start, and makes no new one', () => check(undefined, 'SECURITY_SEAL_KEY_INVALID'));
test('an empty key file refuses to start', () => check('\n', 'SECURITY_SEAL_KEY_INVALID'));
test('a short key refuses to start', () => check('AAECAw==', 'SECURITY_SEAL_KEY_INVALID'));
test('a key of zeros refuses to start', () => check('0'.repeat(64), 'SECURITY_SEAL_KEY_INVALID'));
test('another key refuses to start', () => check(Buffer.from(OTHER).toString('base64'), 'SECURITY_SEAL_KEY_WRONG'));
test('another key after a new one does not count as the old one', () =>
  check(`${Buffer.from(OTHER).toString('hex')}\n${Buffer.from(KEY).toString('hex')}\n`, 'SECURITY_SEAL_KEY_WRONG'));

test('what is sealed comes back, and is never in the clear', () => {
  const sealer = createSealer([KEY]);
  fc.assert(
    fc.property(fc.string(), fc.uint8Array({ minLength: 8 }), (cell, plain) => {
      const sealed = sealer.seal(cell, plain);
      assert.deepEqual(new Uint8Array(sealer.open(cell, sealed)), plain);
      assert.equal(Buffer.from(sealed).indexOf(plain), -1);
    }),
  );
});

test('the same plaintext twice gives different ciphertext', () => {
  const sealer = createSealer([KEY]);
  assert.notDeepEqual(sealer.seal(CELL, PLAIN), sealer.seal(CELL, PLAIN));
});

test('a value moved to another cell does not open', () => {
  const sealer = createSealer([KEY]);
  const sealed = sealer.seal(CELL, PLAIN);
  assert.throws(() => sealer.open('core/secrets/default/other', sealed), { code: 'SECURITY_SEALED_INVALID' });
});

test('any altered byte, or a shorter value, is refused', () => {
  const sealer = createSealer([KEY]);
  const sealed = sealer.seal(CELL, PLAIN);
  for (let i = 0; i < sealed.length; i++) {
    const altered = Uint8Array.from(sealed);
    altered[i] = (altered[i] ?? 0) ^ 1;
    assert.throws(() => sealer.open(CELL, altered), { code: 'SECURITY_SEALED_INVALID' });
    assert.throws(() => sealer.open(CELL, sealed.subarray(0, i)), { code: 'SECURITY_SEALED_INVALID' });
  }
});

test('after rotation the new key seals and the old one still opens', () => {
  const before = createSealer([KEY]);
  const after = createSealer([OTHER, KEY]);
  assert.deepEqual(Buffer.from(after.open(CELL, before.seal(CELL, PLAIN))), PLAIN);
  assert.throws(() => before.open(CELL, after.seal(CELL, PLAIN)), /is not in the key file/);
});

test('rotating the key file keeps what was sealed readable after a restart', () => {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-seal-'));
  const options = { keyFile: join(directory, 'key'), checkFile: join(directory, 'check') };
  const sealed = openSealer(options).seal(CELL, PLAIN);
  rotateSealKey(options);
  assert.deepEqual(Buffer.from(openSealer(options).open(CELL, sealed)), PLAIN);
  rmSync(directory, { recursive: true });
});

test('a backup opens with its passphrase only', async () => {
  const sealed = await sealWithPassphrase('correct horse', PLAIN);
  assert.equal(Buffer.from(sealed).indexOf(PLAIN), -1);
  assert.deepEqual(Buffer.from(await openWithPassphrase('correct horse', sealed)), PLAIN);
  await assert.rejects(openWithPassphrase('battery staple', sealed), { code: 'SECURITY_PASSPHRASE_WRONG' });
});

test('a backup that asks for a costlier derivation than ours is refused before it is tried', async () => {
  const sealed = Buffer.from(await sealWithPassphrase('correct horse', PLAIN));
  sealed[8] = 30;
  await assert.rejects(openWithPassphrase('correct horse', sealed), (error) =>
    hasCode(error, 'SECURITY_PASSPHRASE_WRONG'),
  );
});

test('an empty passphrase seals nothing', async () => {
  await assert.rejects(async () => sealWithPassphrase('', PLAIN), { code: 'SECURITY_PASSPHRASE_WRONG' });
});
