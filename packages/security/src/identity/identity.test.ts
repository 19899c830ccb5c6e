import assert from 'node:assert/strict';
import { sign } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AuditEvent } from '@skerry/api';
import { type Clock, systemClock } from '@skerry/base';
import fc from 'fast-check';
import {
  type Authority,
  certificateFromPem,
  certificateToPem,
  createAuthority,
  createCsr,
  DAY_MS,
  fingerprint,
  issueCredential,
  newPrivateKey,
  privateKeyToPem,
  type Subject,
} from '../pki/index.ts';
import { nodeUserName } from '../policy/node-name.ts';
import { readEnrolRequest, readRenewRequest } from './enrolment-messages.ts';
import {
  type CloudDoor,
  createEnrolment,
  createRevocations,
  type DoorRequest,
  formatJoinToken,
  fromJoinTokenObject,
  hashSecret,
  joinCloud,
  loadIdentity,
  matchesNode,
  memoryJoinTokenStore,
  type NodeIdentity,
  newTokenSecret,
  nextRenewal,
  nodeOfCertificate,
  nodeProfile,
  parseJoinToken,
  renewalBytes,
  renewIdentity,
  saveIdentity,
  securityCrds,
  signTime,
  toJoinTokenObject,
} from './index.ts';

const START = Date.parse('2026-11-24T08:00:00Z');
const MINUTE = 60_000;

/** A cloud without sockets, whose clock the test moves, and the door to it. */
function createCloud(authority: Authority = createAuthority({ now: START }), onIssued: () => void = () => {}) {
  const state = { now: START };
  const clock: Clock = { ...systemClock, now: () => state.now, monotonic: () => state.now };
  const tokens = memoryJoinTokenStore();
  const revocations = createRevocations();
  const audited: AuditEvent[] = [];
  const enrolment = createEnrolment({
    authority,
    tokens,
    revocations,
    clock,
    audit: { append: (event) => audited.push(event) },
    onIssued: async () => onIssued(),
  });
  const sent: DoorRequest[] = [];
  const caPem = certificateToPem(authority.certificate);
  const door: CloudDoor = {
    fetchAuthority: async () => caPem,
    request: async (_address, _ca, request) => {
      sent.push(request);
      const url = new URL(request.path, 'https://x');
      const body = Buffer.from(request.body ?? '');
      const answer = async () => {
        if (url.pathname === '/enroll/v1/time') return enrolment.time(url.searchParams.get('nonce') ?? '', 'peer');
        const enrol = url.pathname === '/enroll/v1/node' ? readEnrolRequest(body) : undefined;
        if (enrol) return enrolment.enrol(enrol, 'peer');
        const renew = readRenewRequest(body);
        return renew ? enrolment.renew(renew, 'peer') : { status: 400, body: {} };
      };
      const { status, body: answered } = await answer();
      return { status, body: JSON.stringify(answered) };
    },
  };
  const createToken = async (node = 'edge-1', ttl = 10 * MINUTE) => {
    const { id, secret } = newTokenSecret();
    await tokens.create({ id, node, secretHash: hashSecret(secret), expiresAt: state.now + ttl });
    return {
      id,
      secret,
      text: formatJoinToken({
        addresses: ['cloud:6444'],
        caHash: fingerprint(authority.certificate),
        id,
        secret,
        node,
      }),
    };
  };
  return { state, tokens, revocations, audited, enrolment, door, sent, createToken, authority, clock };
}

/** Joins after the case has had its way with cloud and token; compares the node's name or the refusal, and its audit reason. */
async function check(
  given: { node?: string; name?: string; before?: (cloud: ReturnType<typeof createCloud>, id: string) => void },
  expected: { joined?: string; code?: string; why?: string },
): Promise<void> {
  const cloud = createCloud();
  const { id, text } = await cloud.createToken(given.node);
  given.before?.(cloud, id);
  const joining = joinCloud({
    door: cloud.door,
    token: text,
    ...(given.name === undefined ? {} : { node: given.name }),
  });
  if (expected.code) await assert.rejects(joining, { code: expected.code });
  else assert.equal((await joining).node, expected.joined);
  if (expected.why) assert.equal(cloud.audited.at(-1)?.reason, expected.why);
}

const REFUSED = 'SECURITY_ENROLMENT_REFUSED';

test('a node joins with its token', () => check({}, { joined: 'edge-1' }));
test('a node chooses its name where the token leaves it open', () =>
  check({ node: 'edge-*', name: 'edge-7' }, { joined: 'edge-7' }));
test('a pattern without a name stops at the edge', () =>
  check({ node: 'edge-*' }, { code: 'SECURITY_TOKEN_MALFORMED' }));
test('a name that the pattern does not hold stops at the edge', () =>
  check({ node: 'edge-*', name: 'hub' }, { code: 'SECURITY_TOKEN_FOR_ANOTHER' }));
test('a token is refused in the millisecond it expires', () =>
  check({ before: (cloud) => (cloud.state.now += 10 * MINUTE) }, { code: REFUSED, why: 'token expired' }));
test('a token is good one millisecond before', () =>
  check({ before: (cloud) => (cloud.state.now += 10 * MINUTE - 1) }, { joined: 'edge-1' }));
test('a revoked token is refused', () =>
  check({ before: (cloud, id) => cloud.tokens.delete(id) }, { code: REFUSED, why: 'no such token' }));

test('every refusal of a token has the same status and body, whatever was wrong', async () => {
  const cloud = createCloud();
  const used = await cloud.createToken();
  await joinCloud({ door: cloud.door, token: used.text });
  const expired = await cloud.createToken('edge-1', -1);
  const other = await cloud.createToken('edge-2');
  const csr = createCsr(newPrivateKey());
  const attempts = [
    used,
    expired,
    other,
    { id: 'nosuchtoken', secret: used.secret },
    { id: other.id, secret: used.secret },
  ];
  const replies = await Promise.all(
    attempts.map(({ id, secret }) => cloud.enrolment.enrol({ token: { id, secret }, node: 'edge-1', csr }, 'p')),
  );
  for (const reply of replies) assert.deepEqual(reply, replies[0]);
  assert.equal(replies[0]?.status, 401);
  const reasons = cloud.audited.slice(1).map(({ reason }) => reason);
  assert.deepEqual(reasons, [
    'token already used',
    'token expired',
    'token is for another node',
    'no such token',
    'wrong secret',
  ]);
});

test('of many who use one token at the same instant exactly one gets a certificate, the others 401 and an audit event', async () => {
  const cloud = createCloud();
  const { id, secret } = await cloud.createToken();
  const attempts = Array.from({ length: 12 }, () =>
    cloud.enrolment.enrol({ token: { id, secret }, node: 'edge-1', csr: createCsr(newPrivateKey()) }, 'p'),
  );
  const statuses = (await Promise.all(attempts)).map(({ status }) => status).sort((a, b) => a - b);
  assert.deepEqual(statuses, [201, ...Array.from({ length: 11 }, () => 401)]);
  assert.equal(cloud.audited.filter(({ code }) => code === 401).length, 11);
});

test('a request that asks for another node’s name is refused and does not spend the token', async () => {
  const cloud = createCloud();
  const { id, secret, text } = await cloud.createToken();
  for (const subject of [
    { commonName: 'system:node:edge-2', organizations: [] },
    { commonName: '', organizations: ['system:masters'] },
    { commonName: 'kubernetes-admin', organizations: ['system:nodes'] },
  ]) {
    const csr = createCsr(newPrivateKey(), subject);
    const reply = await cloud.enrolment.enrol({ token: { id, secret }, node: 'edge-1', csr }, 'p');
    assert.equal(reply.status, 403);
  }
  assert.equal((await joinCloud({ door: cloud.door, token: text })).node, 'edge-1');
});

test('names, usages and dates come from the server', async () => {
  const cloud = createCloud();
  const { certificatePem } = await joinCloud({ door: cloud.door, token: (await cloud.createToken()).text });
  const certificate = certificateFromPem(certificatePem);
  assert.deepEqual(certificate.subject, { commonName: 'system:node:edge-1', organizations: ['system:nodes'] });
  assert.deepEqual(certificate.names, { dns: [], ips: [], uris: ['spiffe://skerry/node/edge-1'] });
  assert.deepEqual(certificate.usages, ['clientAuth']);
  assert.equal(certificate.notAfter, START + DAY_MS);
  assert.equal(certificate.isCa, false);
});

test('a false cloud is found out before anything is sent to it', async () => {
  const cloud = createCloud();
  const impostor = createCloud();
  const { text } = await cloud.createToken();
  await assert.rejects(joinCloud({ door: impostor.door, token: text }), { code: 'SECURITY_CA_HASH_DIFFERS' });
  assert.deepEqual(impostor.sent, []);
});

test('an address that does not answer is passed over', async () => {
  const cloud = createCloud();
  const { text } = await cloud.createToken();
  const door: CloudDoor = {
    ...cloud.door,
    fetchAuthority: (address) =>
      address === 'dead:1' ? Promise.reject(new Error('refused')) : cloud.door.fetchAuthority(address),
  };
  assert.equal((await joinCloud({ door, token: text, addresses: ['dead:1', 'cloud:6444'] })).node, 'edge-1');
  await assert.rejects(joinCloud({ door, token: text, addresses: ['dead:1'] }), { code: 'SECURITY_CLOUD_UNREACHABLE' });
});

/** Joins, lets time pass, then renews; compares the end of the new certificate with the cloud's clock. */
async function checkRenewal(
  given: {
    after: number;
    before?: (cloud: ReturnType<typeof createCloud>, identity: NodeIdentity) => NodeIdentity | undefined;
  },
  expected: { refusedWith?: RegExp },
): Promise<void> {
  const cloud = createCloud();
  const joined = await joinCloud({ door: cloud.door, token: (await cloud.createToken()).text });
  cloud.state.now += given.after;
  const identity = given.before?.(cloud, joined) ?? joined;
  const renewing = renewIdentity({ door: cloud.door, identity });
  if (expected.refusedWith) {
    await assert.rejects(renewing, expected.refusedWith);
    assert.ok((cloud.audited.at(-1)?.code ?? 0) >= 401);
    return;
  }
  const renewal = await renewing;
  assert.equal(certificateFromPem(renewal.identity.certificatePem).notAfter, cloud.state.now + DAY_MS);
  assert.notEqual(renewal.identity.keyPem, joined.keyPem);
  assert.equal(renewal.cloudTime, cloud.state.now);
}

test('a node renews at half life', () => checkRenewal({ after: DAY_MS / 2 }, {}));
test('a node away for thirty days renews with its expired certificate', () => checkRenewal({ after: 30 * DAY_MS }, {}));
test('a node away for longer than the window must join again', () =>
  checkRenewal({ after: 92 * DAY_MS }, { refusedWith: /status 403: the certificate expired too long ago/ }));
function revokeNow({ revocations, state }: ReturnType<typeof createCloud>): undefined {
  revocations.revoke('edge-1', state.now);
}

test('a revoked node does not renew', () =>
  checkRenewal({ after: MINUTE, before: revokeNow }, { refusedWith: /the node is revoked/ }));
test('a certificate without its key does not renew', () =>
  checkRenewal(
    { after: MINUTE, before: (_cloud, identity) => ({ ...identity, keyPem: privateKeyToPem(newPrivateKey()) }) },
    { refusedWith: /status 401/ },
  ));
test('a certificate of another cloud does not renew', () =>
  checkRenewal(
    {
      after: MINUTE,
      before: (cloud, identity) => {
        const foreign = issueCredential(createAuthority({ now: START }), nodeProfile('edge-1', cloud.state.now), {
          now: cloud.state.now,
        });
        return {
          ...identity,
          certificatePem: certificateToPem(foreign.certificate),
          keyPem: privateKeyToPem(foreign.key),
        };
      },
    },
    { refusedWith: /status 401/ },
  ));
test('an administrator’s certificate does not become a node by renewal', () =>
  checkRenewal(
    {
      after: MINUTE,
      before: ({ authority, state }, identity) => {
        const profile = {
          ...nodeProfile('edge-1', state.now),
          subject: { commonName: 'kubernetes-admin', organizations: ['system:masters'] },
        };
        const { certificate, key } = issueCredential(authority, profile, { now: state.now });
        return { ...identity, certificatePem: certificateToPem(certificate), keyPem: privateKeyToPem(key) };
      },
    },
    { refusedWith: /status 401/ },
  ));

/** Renews by hand, with the request that the case wants, some time after the challenge was fetched. */
async function renewWith(subject: Subject, laterMs: number) {
  const cloud = createCloud();
  const { keyPem, certificatePem } = await joinCloud({ door: cloud.door, token: (await cloud.createToken()).text });
  const csr = createCsr(newPrivateKey(), subject);
  const time = signTime(cloud.authority.key, '0123456789abcdef', cloud.state.now);
  const signature = sign('sha256', renewalBytes(time, csr), keyPem).toString('base64url');
  cloud.state.now += laterMs;
  return (await cloud.enrolment.renew({ certificate: certificatePem, csr, time, signature }, 'p')).status;
}

test('a renewal with the name of another node, or a stale challenge, is refused', async () => {
  const nobody = { commonName: '', organizations: [] };
  assert.equal(await renewWith(nobody, 0), 201);
  assert.equal(await renewWith({ commonName: nodeUserName('edge-2'), organizations: ['system:nodes'] }, 0), 403);
  assert.equal(await renewWith(nobody, 5 * MINUTE), 201);
  assert.equal(await renewWith(nobody, 5 * MINUTE + 1), 401);
});

test('a renewal whose request was swapped on the way is refused', async () => {
  const cloud = createCloud();
  const identity = await joinCloud({ door: cloud.door, token: (await cloud.createToken()).text });
  const swap = (body: string) => JSON.stringify({ ...JSON.parse(body), csr: createCsr(newPrivateKey()) });
  const door: CloudDoor = {
    ...cloud.door,
    request: (address, ca, { body, ...request }) =>
      cloud.door.request(address, ca, { ...request, ...(body === undefined ? {} : { body: swap(body) }) }),
  };
  await assert.rejects(renewIdentity({ door, identity }), /status 401/);
});

test('a cloud that answers with an unsigned or an old time gets no renewal', async () => {
  const cloud = createCloud();
  const identity = await joinCloud({ door: cloud.door, token: (await cloud.createToken()).text });
  const old = await cloud.door.request('', '', { method: 'GET', path: '/enroll/v1/time?nonce=0123456789abcdef' });
  const door: CloudDoor = { ...cloud.door, request: async () => old };
  await assert.rejects(renewIdentity({ door, identity }), ({ cause }) => /not signed by the cloud/.test(cause.message));
});

test('one node that renews in a loop is slowed down, and others are not', async () => {
  const cloud = createCloud();
  const first = await joinCloud({ door: cloud.door, token: (await cloud.createToken('edge-1')).text });
  const second = await joinCloud({ door: cloud.door, token: (await cloud.createToken('edge-2')).text });
  const renew = (identity: NodeIdentity) => renewIdentity({ door: cloud.door, identity });
  for (let i = 0; i < 11; i++) await renew(first);
  await assert.rejects(renew(first), /status 429/);
  await renew(second);
});

test('an address that guesses tokens is slowed down', async () => {
  const cloud = createCloud();
  const csr = createCsr(newPrivateKey());
  const guess = (peer: string) => cloud.enrolment.enrol({ token: { id: 'guess', secret: 'x' }, node: 'a', csr }, peer);
  const statuses: number[] = [];
  for (let i = 0; i < 201; i++) statuses.push((await guess('10.0.0.1')).status);
  assert.deepEqual(statuses.slice(199), [401, 429]);
  assert.equal((await guess('10.0.0.2')).status, 401);
});

test('a node that is revoked while it renews gets nothing', async () => {
  let isRevoking = false;
  const cloud = createCloud(undefined, () => {
    if (isRevoking) cloud.revocations.revoke('edge-1', START);
  });
  const identity = await joinCloud({ door: cloud.door, token: (await cloud.createToken()).text });
  cloud.state.now += MINUTE;
  isRevoking = true;
  await assert.rejects(renewIdentity({ door: cloud.door, identity }), /the node is revoked/);
  assert.equal(cloud.audited.at(-1)?.reason, 'revoked meanwhile');
});

test('a revoked node joins again with a new token, and only its new certificate counts', async () => {
  const cloud = createCloud();
  const before = await joinCloud({ door: cloud.door, token: (await cloud.createToken()).text });
  cloud.revocations.revoke('edge-1', cloud.state.now);
  const after = await joinCloud({ door: cloud.door, token: (await cloud.createToken()).text });
  assert.equal(cloud.revocations.isRevoked(certificateFromPem(before.certificatePem)), true);
  assert.equal(cloud.revocations.isRevoked(certificateFromPem(after.certificatePem)), false);
});

test('revocation follows the NodeIdentity object', () => {
  const revocations = createRevocations();
  const heard: string[] = [];
  revocations.onRevoked((node) => heard.push(node));
  const identity = (spec: object) => ({
    apiVersion: 'security.skerry.io/v1alpha1',
    kind: 'NodeIdentity',
    metadata: { name: 'a' },
    spec,
  });
  revocations.put(identity({}));
  revocations.put(identity({ revokedBefore: new Date(START).toISOString() }));
  revocations.put(identity({ revokedBefore: new Date(START).toISOString() }));
  assert.deepEqual(heard, ['a']);
  assert.equal(revocations.revokedBefore('a'), START);
  revocations.put(identity({}));
  assert.equal(revocations.revokedBefore('a'), 0);
});

test('renewal is due at half life, at once when that is past, and at once when the clock is before the issue', () => {
  const authority = createAuthority({ now: START });
  const { certificate } = issueCredential(authority, nodeProfile('a', START), { now: START });
  assert.equal(nextRenewal(certificate, START), DAY_MS / 2);
  assert.equal(nextRenewal(certificate, START, 1), (DAY_MS / 2) * 0.9);
  assert.equal(nextRenewal(certificate, START + DAY_MS), 0);
  assert.equal(nextRenewal(certificate, START - 365 * DAY_MS), 0);
});

test('a certificate whose names disagree names no node', () => {
  const authority = createAuthority({ now: START });
  const nodeOf = (profile: ReturnType<typeof nodeProfile>) =>
    nodeOfCertificate(issueCredential(authority, profile, { now: START }).certificate);
  const own = nodeProfile('a', START);
  const names = (...uris: string[]) => ({ dns: [], ips: [], uris });
  assert.equal(nodeOf(own), 'a');
  assert.equal(nodeOf({ ...own, names: names('spiffe://skerry/node/b') }), undefined);
  assert.equal(nodeOf({ ...own, names: names('spiffe://skerry/node/a', 'spiffe://skerry/node/b') }), undefined);
  assert.equal(nodeOf({ ...own, subject: { commonName: 'system:node:a', organizations: [] } }), undefined);
});

test('a join token comes back as it was, and any other text is refused without showing the secret', () => {
  const { id, secret } = newTokenSecret();
  const token = {
    addresses: ['cloud.example:6444', '[::1]:6444'],
    caHash: `sha256:${'ab'.repeat(32)}`,
    id,
    secret,
    node: 'edge-*',
  };
  const text = formatJoinToken(token);
  assert.match(text, /^[A-Za-z0-9._-]+$/);
  assert.deepEqual(parseJoinToken(`${text}\n`), token);
  assert.throws(
    () => parseJoinToken(formatJoinToken({ ...token, addresses: ['a b:1'] })),
    (error: Error) => !error.message.includes(secret),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.json().map((json) => `skerry1.${Buffer.from(json).toString('base64url')}`),
      ),
      (other) => {
        assert.throws(() => parseJoinToken(other), { code: 'SECURITY_TOKEN_MALFORMED' });
      },
    ),
  );
});

test('a pattern holds what a shell’s star would', () => {
  const cases: [string, string, boolean][] = [
    ['edge-*', 'edge-1', true],
    ['edge-*', 'edge-', false],
    ['*', 'anything', true],
    ['a*b*c', 'a-b-c', true],
    ['a*b*c', 'a-c', false],
    ['ab*ba', 'aba', false],
    ['edge', 'edge-1', false],
    ['*', 'Not_A_Name', false],
  ];
  for (const [pattern, node, expected] of cases)
    assert.equal(matchesNode(pattern, node), expected, `${pattern} ${node}`);
});

test('a token record comes back from its object; a broken object is no token', () => {
  const record = {
    id: 'abc',
    node: 'edge-*',
    secretHash: hashSecret('x'),
    expiresAt: START,
    usedBy: 'edge-1',
    usedAt: START,
  };
  assert.deepEqual(fromJoinTokenObject(toJoinTokenObject(record, '7')), { record, resourceVersion: '7' });
  assert.equal(fromJoinTokenObject({ ...toJoinTokenObject(record), spec: { nodeName: 'a' } }), undefined);
});

test('the kinds are cluster-scoped and named after their plural', () => {
  assert.deepEqual(
    securityCrds().map(({ metadata }) => metadata.name),
    ['jointokens.security.skerry.io', 'nodeidentities.security.skerry.io'],
  );
});

test('an identity is kept in one file of mode 0600 and checked when it is read', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'skerry-identity-'));
  const cloud = createCloud();
  const identity = await joinCloud({ door: cloud.door, token: (await cloud.createToken()).text });
  assert.equal(loadIdentity(directory), undefined);
  saveIdentity(directory, identity);
  assert.equal(statSync(join(directory, 'identity.json')).mode & 0o777, 0o600);
  assert.deepEqual(loadIdentity(directory), identity);
  saveIdentity(directory, { ...identity, node: 'edge-2' });
  assert.throws(() => loadIdentity(directory), { code: 'SECURITY_PKI_UNREADABLE' });
  rmSync(directory, { recursive: true });
});
