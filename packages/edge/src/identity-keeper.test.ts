import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { silentLogger } from '@skerry/base';
import {
  type CloudDoor,
  createEnrolment,
  createRevocations,
  type EnrolmentReply,
  type EnrolRequest,
  formatJoinToken,
  hashSecret,
  loadIdentity,
  memoryJoinTokenStore,
  type NodeIdentity,
  newTokenSecret,
  type RenewRequest,
  ROUTE,
} from '@skerry/security/identity';
import { certificateFromPem, certificateToPem, createAuthority, fingerprint } from '@skerry/security/pki';
import { type FakeClock, fakeClock } from '@skerry/testkit';
import { type IdentityKeeper, type JoinRequest, keepIdentity, openIdentity } from './identity-keeper.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const MINUTE_MS = 60_000;

const work = mkdtempSync(join(tmpdir(), 'skerry-keeper-'));
after(() => rmSync(work, { recursive: true, force: true }));

interface World {
  /** The cloud's clock and the node's, which need not agree. */
  readonly cloud: FakeClock;
  readonly node: FakeClock;
  readonly directory: string;
  readonly revoke: () => void;
  /** Pulls the cable, or puts it back. */
  readonly setReachable: (isReachable: boolean) => void;
  /** Certificates given out after joining. */
  readonly renewals: () => number;
  /** Renewals asked for, with success or without. */
  readonly attempts: () => number;
  /** Both clocks go on. */
  readonly pass: (ms: number) => Promise<void>;
  readonly createToken: (name?: string) => Promise<string>;
  readonly open: (request?: Partial<JoinRequest>) => Promise<NodeIdentity>;
  readonly keep: (identity: NodeIdentity) => IdentityKeeper;
}

interface Given {
  /** How far the node's clock is ahead when it starts to keep its identity. */
  readonly nodeAheadMs?: number;
}

/** A cloud without sockets and a node's directory; the keeper ends with the story. */
async function check({ nodeAheadMs = 0 }: Given, story: (world: World) => Promise<void>): Promise<void> {
  const cloud = fakeClock();
  const node = fakeClock({ start: cloud.now() + nodeAheadMs });
  const authority = createAuthority({ now: cloud.now() });
  const tokens = memoryJoinTokenStore();
  const revocations = createRevocations();
  const enrolment = createEnrolment({ authority, tokens, revocations, clock: cloud });
  const state = { isReachable: true, renewals: 0, attempts: 0 };
  const answer = async (path: string, body: string): Promise<EnrolmentReply> => {
    const url = new URL(path, 'https://cloud.invalid');
    if (url.pathname === ROUTE.time) return enrolment.time(url.searchParams.get('nonce') ?? '', 'peer');
    if (url.pathname === ROUTE.enrol) return enrolment.enrol(JSON.parse(body) as EnrolRequest, 'peer');
    const reply = await enrolment.renew(JSON.parse(body) as RenewRequest, 'peer');
    if (reply.status === 201) state.renewals++;
    return reply;
  };
  const door: CloudDoor = {
    fetchAuthority: async () => certificateToPem(authority.certificate),
    request: async (_address, _caPem, { path, body = '' }) => {
      if (path.startsWith(ROUTE.time)) state.attempts++;
      if (!state.isReachable) throw new Error('connection refused');
      const { status, body: said } = await answer(path, body);
      return { status, body: JSON.stringify(said) };
    },
  };
  const directory = mkdtempSync(join(work, 'node-'));
  const stopping = new AbortController();
  const context = { directory, clock: node, log: silentLogger, door };
  await story({
    cloud,
    node,
    directory,
    revoke: () => revocations.revoke('edge-1', cloud.now()),
    setReachable: (isReachable) => {
      state.isReachable = isReachable;
    },
    renewals: () => state.renewals,
    attempts: () => state.attempts,
    pass: async (ms) => {
      await cloud.advance(ms);
      await node.advance(ms);
    },
    createToken: async (name = 'edge-1') => {
      const { id, secret } = newTokenSecret();
      await tokens.create({ id, node: name, secretHash: hashSecret(secret), expiresAt: cloud.now() + 10 * MINUTE_MS });
      const caHash = fingerprint(authority.certificate);
      return formatJoinToken({ addresses: ['cloud:6444'], caHash, id, secret, node: name });
    },
    open: (request = {}) => openIdentity(context, { addresses: [], ...request }),
    keep: (identity) => keepIdentity({ ...context, identity, signal: stopping.signal, onRenewed: () => {} }),
  });
  stopping.abort();
}

function serialOf({ certificatePem }: NodeIdentity): string {
  return String(certificateFromPem(certificatePem).serial);
}

test('without token and without identity there is nothing to start from', () =>
  check({}, async ({ open }) => {
    await assert.rejects(open(), { code: 'EDGE_NOT_JOINED' });
  }));

test('a token is needed once, and giving it again does no harm', () =>
  check({}, async ({ open, createToken, directory }) => {
    const token = await createToken();
    const joined = await open({ token });
    assert.deepEqual(await open({ token }), joined);
    assert.deepEqual(await open(), joined);
    assert.deepEqual(loadIdentity(directory), joined);
  }));

test('a new token joins anew, as a revoked node must', () =>
  check({}, async ({ open, createToken }) => {
    const first = await open({ token: await createToken() });
    const second = await open({ token: await createToken() });
    assert.notEqual(serialOf(second), serialOf(first));
  }));

test('a new token that brings nothing stops no node that has an identity', () =>
  check({}, async ({ open, createToken, setReachable, pass }) => {
    const joined = await open({ token: await createToken() });
    const another = await createToken();
    setReachable(false);
    assert.deepEqual(await open({ token: another }), joined);
    setReachable(true);
    await pass(11 * MINUTE_MS);
    assert.deepEqual(await open({ token: another }), joined);
  }));

test('a node that has no identity learns why its token was refused', () =>
  check({}, async ({ open, createToken, pass }) => {
    const token = await createToken();
    await assert.rejects(open({ token, node: 'edge-2' }), { code: 'SECURITY_TOKEN_FOR_ANOTHER' });
    await pass(11 * MINUTE_MS);
    await assert.rejects(open({ token }), /has expired.*skerry token create --node edge-1/);
  }));

test('a damaged identity is named and stops the node, unless a token brings a new one', () =>
  check({}, async ({ open, createToken, directory }) => {
    await open({ token: await createToken() });
    const file = join(directory, 'identity.json');
    writeFileSync(file, '{"node":"edge-1"');
    await assert.rejects(open(), { code: 'EDGE_IDENTITY_DAMAGED', message: new RegExp(file) });
    const joined = await open({ token: await createToken() });
    assert.deepEqual(loadIdentity(directory), joined);
    assert.equal(readFileSync(`${file}.damaged`, 'utf8'), '{"node":"edge-1"');
  }));

test('other addresses are kept', () =>
  check({}, async ({ open, createToken, directory }) => {
    await open({ token: await createToken() });
    await open({ addresses: ['elsewhere:1'] });
    assert.deepEqual(loadIdentity(directory)?.addresses, ['elsewhere:1']);
  }));

test('the certificate is renewed at half its life, again and again', () =>
  check({}, async ({ open, createToken, keep, pass, renewals, directory }) => {
    const keeper = keep(await open({ token: await createToken() }));
    await pass(12 * HOUR_MS - MINUTE_MS);
    assert.equal(renewals(), 0);
    await pass(2 * MINUTE_MS);
    assert.equal(renewals(), 1);
    assert.deepEqual(loadIdentity(directory), keeper.current);
    for (let days = 0; days < 5; days++) await pass(DAY_MS);
    assert.equal(renewals(), 11);
  }));

test('while the cloud is away it is tried with growing pauses, and soon after the cloud is back it works', () =>
  check({}, async ({ open, createToken, keep, pass, setReachable, renewals, attempts }) => {
    keep(await open({ token: await createToken() }));
    setReachable(false);
    for (let days = 0; days < 30; days++) await pass(DAY_MS);
    assert.equal(renewals(), 0);
    assert.ok(attempts() > 30 * 24 * 5, `only ${attempts()} attempts`);
    assert.ok(attempts() < 30 * 24 * 60, `as many as ${attempts()} attempts`);
    setReachable(true);
    await pass(10 * MINUTE_MS);
    assert.equal(renewals(), 1);
  }));

for (const [name, nodeAheadMs] of [
  ['a year behind', -365 * DAY_MS],
  ['a year ahead', 365 * DAY_MS],
  ['in 1970', -Date.UTC(2026, 0, 1)],
] as const)
  test(`with its clock ${name} a node renews once, then as often as any other`, () =>
    check({ nodeAheadMs }, async ({ open, createToken, keep, pass, renewals }) => {
      keep(await open({ token: await createToken() }));
      await pass(1000);
      assert.equal(renewals(), 1);
      await pass(11 * HOUR_MS);
      assert.equal(renewals(), 1);
      await pass(2 * HOUR_MS);
      assert.equal(renewals(), 2);
    }));

test('a refusal renews at once, though the certificate looks good', () =>
  check({}, async ({ open, createToken, keep, cloud, node, pass, renewals }) => {
    const keeper = keep(await open({ token: await createToken() }));
    await node.advance(HOUR_MS);
    await cloud.advance(30 * DAY_MS);
    keeper.renewNow();
    await pass(1);
    assert.equal(renewals(), 1);
  }));

test('a renewal that was asked for and failed is tried until it works', () =>
  check({}, async ({ open, createToken, keep, pass, setReachable, renewals, attempts }) => {
    const keeper = keep(await open({ token: await createToken() }));
    setReachable(false);
    keeper.renewNow();
    await pass(1);
    assert.equal(attempts(), 1);
    setReachable(true);
    await pass(5_000);
    assert.equal(renewals(), 1);
  }));

test('however long the cloud was away, the refusal that says it is back renews at once', () =>
  check({}, async ({ open, createToken, keep, pass, setReachable, renewals }) => {
    const keeper = keep(await open({ token: await createToken() }));
    setReachable(false);
    await pass(30 * HOUR_MS);
    setReachable(true);
    const before = renewals();
    keeper.renewNow();
    await pass(1);
    assert.deepEqual([before, renewals()], [0, 1]);
  }));

test('many refusals while a renewal fails cause no storm', () =>
  check({}, async ({ open, createToken, keep, pass, revoke, attempts }) => {
    const keeper = keep(await open({ token: await createToken() }));
    revoke();
    for (let seconds = 0; seconds < 3600; seconds++) {
      keeper.renewNow();
      await pass(1000);
    }
    assert.ok(attempts() < 40, `${attempts()} attempts in an hour`);
  }));
