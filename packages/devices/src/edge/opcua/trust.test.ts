import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { requireSystem } from '@skerry/testkit/processes';
import type { Trust } from '../driver.ts';
import { type RefusalCode, readAnchors, refusalOf } from './trust.ts';

interface Site {
  /** PEM by name. */
  readonly root: string;
  readonly press: string;
  readonly stolen: string;
  readonly revoked: string;
  readonly other: string;
}

/** An authority with two presses, one of which was stolen, and somebody else. */
function makeSite(): Site {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-trust-'));
  const at = (name: string) => join(folder, name);
  const openssl = (...args: readonly string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  const signs = (name: string) =>
    openssl(
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '30',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.pem`,
    );
  const issue = (name: string) => {
    openssl(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-subj',
      `/CN=${name}`,
      '-keyout',
      `${name}.key`,
      '-out',
      `${name}.csr`,
    );
    openssl('ca', '-batch', '-config', 'ca.conf', '-in', `${name}.csr`, '-out', `${name}.pem`);
  };
  try {
    const lines = [
      '[ca]',
      'default_ca=site',
      '[site]',
      'database=index',
      'serial=serial',
      'crlnumber=crl',
      'new_certs_dir=.',
      'certificate=root.pem',
      'private_key=root.key',
      'default_md=sha256',
      'default_days=20',
      'default_crl_days=20',
      'policy=any',
      '[any]',
      'commonName=supplied',
      '',
    ];
    writeFileSync(at('ca.conf'), lines.join('\n'));
    writeFileSync(at('index'), '');
    writeFileSync(at('serial'), '00a1\n');
    writeFileSync(at('crl'), '01\n');
    signs('root');
    signs('other');
    issue('press');
    issue('stolen');
    openssl('ca', '-config', 'ca.conf', '-revoke', 'stolen.pem');
    openssl('ca', '-config', 'ca.conf', '-gencrl', '-out', 'revoked.pem');
    const read = (name: string) => readFileSync(at(`${name}.pem`), 'utf8');
    return {
      root: read('root'),
      press: read('press'),
      stolen: read('stolen'),
      revoked: read('revoked'),
      other: read('other'),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

let made: Site | undefined;
const DAY_MS = 24 * 3600 * 1000;

interface Case {
  readonly who: keyof Site;
  readonly trust?: (site: Site) => Partial<Trust>;
  readonly inDays?: number;
  readonly host?: string;
}

function check(
  t: TestContext,
  { who, trust = () => ({}), inDays = 1, host }: Case,
  code: RefusalCode | undefined,
): void {
  if (!requireSystem(t, 'openssl')) return;
  made ??= makeSite();
  const site = made;
  const anchors = readAnchors({ trusted: [], issuers: [], revocationLists: [], ...trust(site) });
  const chain = [new X509Certificate(site[who]).raw];
  assert.equal(
    refusalOf(chain, { anchors, now: Date.now() + inDays * DAY_MS, ...(host === undefined ? {} : { host }) })?.code,
    code,
  );
}

const byRoot = ({ root }: Site) => ({ trusted: [root] });
const withList = ({ root, revoked }: Site) => ({ trusted: [root], revocationLists: [revoked] });

test('what is in the list is accepted', (t) =>
  check(t, { who: 'press', trust: ({ press }) => ({ trusted: [press] }) }, undefined));
test('what a trusted authority has issued is accepted', (t) => check(t, { who: 'press', trust: byRoot }, undefined));
test('an authority that is only an issuer makes nothing trusted', (t) =>
  check(t, { who: 'press', trust: ({ root }) => ({ issuers: [root] }) }, 'BadCertificateUntrusted'));
test('somebody else is not accepted', (t) => check(t, { who: 'other', trust: byRoot }, 'BadCertificateUntrusted'));
test('what was revoked is refused, and the others are not', (t) => {
  check(t, { who: 'stolen', trust: withList }, 'BadCertificateRevoked');
  check(t, { who: 'press', trust: withList }, undefined);
});
test('what has expired is refused, and so is what an expired authority has issued', (t) => {
  check(t, { who: 'press', trust: byRoot, inDays: 25 }, 'BadCertificateTimeInvalid');
  check(t, { who: 'other', trust: ({ other }) => ({ trusted: [other] }), inDays: 40 }, 'BadCertificateTimeInvalid');
});
test('what is not valid yet is refused', (t) =>
  check(t, { who: 'press', trust: byRoot, inDays: -2 }, 'BadCertificateTimeInvalid'));
test('what is no certificate is refused', () => {
  const anchors = readAnchors({ trusted: [], issuers: [], revocationLists: [] });
  assert.equal(refusalOf([Uint8Array.of(1, 2)], { anchors, now: 0 })?.code, 'BadCertificateInvalid');
});

test('an authority vouches for a host only where the certificate names it; what is in the list needs no name', (t) => {
  check(t, { who: 'press', trust: byRoot, host: 'press.north' }, 'BadCertificateHostNameInvalid');
  check(t, { who: 'press', trust: ({ press }) => ({ trusted: [press] }), host: 'press.north' }, undefined);
});
test('what was revoked is refused although it is in the list', (t) =>
  check(
    t,
    { who: 'stolen', trust: ({ stolen, root, revoked }) => ({ trusted: [stolen, root], revocationLists: [revoked] }) },
    'BadCertificateRevoked',
  ));
test('a file may hold several certificates; one that holds none makes the whole list unreadable', (t) => {
  check(t, { who: 'press', trust: ({ other, root }) => ({ trusted: [`${other}${root}`] }) }, undefined);
  assert.throws(() => readAnchors({ trusted: ['none'], issuers: [], revocationLists: [] }), TypeError);
});
