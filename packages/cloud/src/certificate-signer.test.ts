import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Gvr, type KubeObject, StatusError } from '@skerry/api';
import { silentLogger } from '@skerry/base';
import { createInProcessClient } from '@skerry/kube/client';
import { createApiServer } from '@skerry/kube/server';
import { openStore } from '@skerry/kube/store';
import { nodeOfCertificate } from '@skerry/security/identity';
import { certificateFromPem, createAuthority, createCsr, newPrivateKey, type Subject } from '@skerry/security/pki';
import { createAuthenticator } from '@skerry/security/policy';
import { fakeClock } from '@skerry/testkit';
import { certificateRequestStep, certificateSigner } from './certificate-signer.ts';

const CLIENT = 'kubernetes.io/kube-apiserver-client';
const REQUESTS: Gvr = { group: 'certificates.k8s.io', version: 'v1', resource: 'certificatesigningrequests' };
const ANN: Subject = { commonName: 'ann', organizations: ['team'] };

test('whoever holds a certificate that was signed is who it says', async () => {
  const clock = fakeClock();
  const authority = createAuthority({ now: clock.now() });
  const signer = certificateSigner(authority, clock);
  const request = createCsr(newPrivateKey(), ANN);
  assert.equal(signer.read(request).commonName, 'ann');
  const pem = signer.sign({ request, signerName: CLIENT, usages: ['client auth'], expirationSeconds: 600 });
  const certificate = certificateFromPem(pem);
  const authenticator = createAuthenticator({ authority: authority.certificate, clock });
  const credentials = { peerCertificate: { raw: certificate.der, authorized: true } };
  const user = { username: 'ann', groups: ['team', 'system:authenticated'] };
  assert.deepEqual(await authenticator.authenticate(credentials), { kind: 'user', user });
  await clock.advance(601_000);
  assert.equal((await authenticator.authenticate(credentials)).kind, 'refused');
});

test("a node's certificate carries what revocation goes by", () => {
  const clock = fakeClock();
  const signer = certificateSigner(createAuthority({ now: clock.now() }), clock);
  const request = createCsr(newPrivateKey(), { commonName: 'system:node:n1', organizations: ['system:nodes'] });
  const signerName = 'kubernetes.io/kube-apiserver-client-kubelet';
  const pem = signer.sign({ request, signerName, usages: ['client auth'] });
  assert.equal(nodeOfCertificate(certificateFromPem(pem)), 'n1');
});

/** The code and message with which a request is refused that asks for this. */
async function refusalOf(request: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'skerry-signer-'));
  const clock = fakeClock();
  const log = silentLogger;
  const store = openStore({ file: join(folder, 'cloud.db'), clock, log });
  const authorizer = { authorize: () => ({ allowed: true }) };
  const server = createApiServer({ store, clock, log, authorizer, admission: [certificateRequestStep] });
  try {
    const client = createInProcessClient({
      handle: (asked) => server.handle(asked),
      user: { username: 'a', groups: [] },
    });
    await client.create<KubeObject>(REQUESTS, {
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { name: 'r1' },
      spec: { request: Buffer.from(request).toString('base64'), signerName: CLIENT, usages: ['client auth'] },
    });
    return '';
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return `${error.status.code} ${error.message}`;
  } finally {
    server.close();
    await store.close();
    await rm(folder, { recursive: true });
  }
}

test('a request that cannot be read, or is for an administrator, is refused when it is made', async () => {
  assert.equal(await refusalOf(createCsr(newPrivateKey(), ANN)), '');
  assert.match(await refusalOf('no request'), /^422 .*spec\.request: Invalid value: .*: unable to parse request: /);
  const masters = createCsr(newPrivateKey(), { commonName: 'eve', organizations: ['system:masters'] });
  assert.match(await refusalOf(masters), /^403 .*signer with system:masters group is not allowed/);
});
