import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { crypto_utils as crypto } from 'node-opcua-client';
import { isDriverError } from '../../driver-error.ts';
import { applicationUriOf } from '../../opcua/own-certificate.ts';
import { certificateOfNode } from './node-certificate.ts';
import { connected, contextOf, driver, pointFor, read, settingsFor } from './testing/bench.ts';
import { Peer } from './testing/peer.ts';

let peer: Peer;
before(async () => {
  peer = await Peer.start();
});
after(() => peer[Symbol.asyncDispose]());

const bytes = (text: string) => new TextEncoder().encode(text);

for (const securityMode of ['Sign', 'SignAndEncrypt']) {
  for (const securityPolicy of ['Basic256Sha256', 'Aes128_Sha256_RsaOaep', 'Aes256_Sha256_RsaPss']) {
    test(`${securityMode} with ${securityPolicy}: values are read`, async (t) => {
      const session = await connected(t, settingsFor(peer, { securityMode, securityPolicy }));
      assert.deepEqual(await read(session, [pointFor('Byte', 'uint8')]), [255]);
    });
  }
}

test('a user with the right password is let in, one with a wrong password is told so', async (t) => {
  const options = { securityMode: 'SignAndEncrypt', identity: 'Password' };
  const secret = { username: bytes('operator'), password: bytes('secret') };
  const session = await connected(t, settingsFor(peer, options, { secret }));
  assert.deepEqual(await read(session, [pointFor('Byte', 'uint8')]), [255]);
  await assert.rejects(
    driver.connect(settingsFor(peer, options, { secret: { ...secret, password: bytes('wrong') } }), contextOf()),
    (error) => isDriverError(error, 'AccessDenied') && /password/.test(error.message),
  );
  await assert.rejects(driver.connect(settingsFor(peer, options), contextOf()), /the Secret has no key username/);
});

test('a user with a certificate is let in', async (t) => {
  const { pem, key } = await certificate('CN=user');
  const secret = { 'user.crt': bytes(pem), 'user.key': bytes(key) };
  const session = await connected(
    t,
    settingsFor(peer, { securityMode: 'SignAndEncrypt', identity: 'Certificate' }, { secret }),
  );
  assert.deepEqual(await read(session, [pointFor('Byte', 'uint8')]), [255]);
});

test('a certificate that nobody trusts is refused, and shown to whoever may trust it', async () => {
  const seen: string[] = [];
  const onRejectedCertificate = (der: Uint8Array, reason: string) => {
    seen.push(new X509Certificate(der).fingerprint256, reason);
  };
  const trust = { trusted: [], issuers: [], revocationLists: [] };
  await assert.rejects(
    driver.connect(settingsFor(peer, { securityMode: 'Sign' }, { trust }), contextOf({ onRejectedCertificate })),
    (error) => isDriverError(error, 'AccessDenied') && /is not in the trust list/.test(error.message),
  );
  assert.equal(seen[0], new X509Certificate(peer.certificate).fingerprint256);
});

test('a trust list that cannot be read trusts nobody, and says so', async () => {
  const trust = { trusted: ['no certificate'], issuers: [], revocationLists: [] };
  await assert.rejects(
    driver.connect(settingsFor(peer, { securityMode: 'Sign' }, { trust }), contextOf()),
    (error) => isDriverError(error, 'Misconfigured') && /TrustList/.test(error.message),
  );
});

test('a certificate that has expired is refused although it is trusted, with its date', async () => {
  await using old = await Peer.start({ expired: true });
  await assert.rejects(
    driver.connect(settingsFor(old, { securityMode: 'SignAndEncrypt' }), contextOf()),
    (error) => isDriverError(error, 'AccessDenied') && /expired at \d{4}-\d\d-\d\dT/.test(error.message),
  );
});

test('the certificate of a node is the same after a restart, and its key is for nobody else', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'skerry-opcua-own-'));
  t.after(() => rm(folder, { recursive: true }));
  const home = { node: 'edge-1', folder: join(folder, 'opcua') };
  const [one, two] = [await certificateOfNode(home, Date.now()), await certificateOfNode(home, Date.now())];
  assert.deepEqual(one.keyPem, two.keyPem);
  assert.equal(one.chain[0]?.fingerprint256, two.chain[0]?.fingerprint256);
  assert.equal(applicationUriOf(one), 'urn:skerry:edge-1:opcua');
  assert.equal((await stat(join(home.folder, 'application.pem'))).mode & 0o777, 0o600);
});

interface Made {
  readonly pem: string;
  readonly key: string;
}

async function certificate(subject: string): Promise<Made> {
  const { privateKey } = await crypto.generateKeyPair(2048);
  const { cert } = await crypto.createSelfSignedCertificate({
    privateKey,
    subject,
    notBefore: new Date(Date.now() - 1000),
    validity: 10,
    applicationUri: 'urn:test',
    dns: ['press.example'],
    purpose: crypto.CertificatePurpose.ForUserAuthentication,
  });
  return { pem: cert, key: (await crypto.privateKeyToPEM(privateKey)).privPem };
}
