/** A person asks for a certificate, an administrator approves it with kubectl, and the person logs in with it. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { formatKubeconfig } from '@skerry/kube/client';
import { createCsr, newPrivateKey, privateKeyToPem } from '@skerry/security/pki';
import { eventually, kubectl, TestCloud } from '@skerry/testkit/processes';

const work = mkdtempSync(join(tmpdir(), 'skerry-certificates-'));
let cloud: TestCloud;

before(async () => {
  cloud = await TestCloud.start();
});
after(async () => {
  await cloud?.[Symbol.asyncDispose]();
  rmSync(work, { recursive: true, force: true });
});

test('kubectl certificate approve makes a request a way to log in', async () => {
  const key = newPrivateKey();
  const request = Buffer.from(createCsr(key, { commonName: 'ann', organizations: ['team'] })).toString('base64');
  const file = join(work, 'request.json');
  writeFileSync(
    file,
    JSON.stringify({
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { name: 'ann' },
      spec: { request, signerName: 'kubernetes.io/kube-apiserver-client', usages: ['client auth'] },
    }),
  );
  await cloud.kubectl(['create', '-f', file]);
  await cloud.kubectl(['certificate', 'approve', 'ann']);
  const certificate = await eventually('the certificate is there', () =>
    cloud.kubectl(['get', 'csr', 'ann', '-o', 'jsonpath={.status.certificate}']).then((text) => text || undefined),
  );
  const own = JSON.parse(readFileSync(cloud.kubeconfig, 'utf8'));
  const { server, 'certificate-authority-data': ca } = own.clusters[0].cluster;
  const cert = Buffer.from(certificate, 'base64').toString();
  const config = join(work, 'ann.kubeconfig');
  const facts = { server, ca: Buffer.from(ca, 'base64').toString(), cert, key: privateKeyToPem(key) };
  writeFileSync(config, formatKubeconfig(facts), { mode: 0o600 });
  const whoami = await kubectl(config, [
    'auth',
    'whoami',
    '-o',
    'jsonpath={.status.userInfo.username} {.status.userInfo.groups}',
  ]);
  assert.equal(whoami, 'ann ["team","system:authenticated"]');
});
