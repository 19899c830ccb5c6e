import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { certificateToPem, createAuthority, DAY_MS } from '@skerry/security/pki';
import { fakeClock } from '@skerry/testkit';
import { certificateAnswers } from './site-certificates.ts';

const clock = fakeClock();
const authority = createAuthority({ now: clock.now() });
const caPem = certificateToPem(authority.certificate);

/** The names of what is issued, or a pattern that the refusal matches. */
function check(names: readonly string[], expected: string | RegExp): void {
  const answer = certificateAnswers({ pki: { authority, caPem }, clock, log: silentLogger })({
    id: 7,
    certificateOf: names,
  });
  assert.equal(answer.id, 7);
  if (expected instanceof RegExp) {
    assert.match('refusal' in answer ? answer.refusal : 'issued', expected);
    return;
  }
  assert.ok('issued' in answer, JSON.stringify(answer));
  const certificate = new X509Certificate(answer.issued.certificate);
  assert.equal(certificate.subjectAltName, expected);
  assert.ok(certificate.verify(new X509Certificate(answer.issued.authority).publicKey));
  assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.1'], 'nobody is a client by it');
  assert.equal(certificate.validToDate.getTime() - clock.now(), 90 * DAY_MS);
}

test('a worker gets a certificate of the node’s authority for names and addresses', () =>
  check(
    ['broker.plant.example', '10.0.0.5', '::1'],
    'DNS:broker.plant.example, IP Address:10.0.0.5, IP Address:0:0:0:0:0:0:0:1',
  ));

test('none is issued for the names by which pods know the API', () => {
  for (const name of ['kubernetes.default.svc', 'Kubernetes.Default.svc', '*.default.svc'])
    check(['localhost', name], /is a name of the API/);
});

test('none is issued for what is no name', () => {
  for (const name of ['', 'a b', 'x\n', 'a/b', `${'x'.repeat(64)}.example`, 'fe80::1%eth0', 'ü.example'])
    check([name], /is neither a host name nor an address|IP address/);
  check([], /names are possible/);
  check(
    Array.from({ length: 129 }, (_, at) => `n${at}`),
    /names are possible/,
  );
});
