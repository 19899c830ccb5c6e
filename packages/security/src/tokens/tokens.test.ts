import assert from 'node:assert/strict';
import { createHmac, createPublicKey, type JsonWebKey } from 'node:crypto';
import { test } from 'node:test';
import { type Clock, hasCode, systemClock } from '@skerry/base';
import fc from 'fast-check';
import { newPrivateKey } from '../pki/index.ts';
import {
  createEdgeIssuer,
  createTokenIssuer,
  createTokenVerifier,
  edgeKeyOf,
  jwks,
  keysById,
  type ServiceAccountClaims,
  type TokenGrant,
} from './index.ts';
import { keyIdOf, signJws } from './jws.ts';

const NOW = Date.parse('2026-11-24T08:00:00Z');
const key = newPrivateKey();
const grant: TokenGrant = { namespace: 'shop', serviceAccount: { name: 'web', uid: 'u-1' } };
const at = (now: number): Clock => ({ ...systemClock, now: () => now });
const issuer = createTokenIssuer({ key, clock: at(NOW), newId: () => 'id-1' });

interface Case {
  readonly grant?: Partial<TokenGrant>;
  readonly audiences?: readonly string[];
  readonly after?: number;
  readonly token?: string;
  readonly isLive?: (claims: ServiceAccountClaims) => boolean;
}

/** Issues what the case grants, verifies it with the public key alone, and compares the user or the reason of refusal. */
function check(given: Case, expected: { user?: string; refused?: RegExp }): void {
  const token = given.token ?? issuer.issue({ ...grant, ...given.grant }).token;
  const keys = keysById([createPublicKey(key)]);
  const isLive = given.isLive ?? (() => true);
  const verifier = createTokenVerifier({ keys: () => keys, clock: at(NOW + (given.after ?? 0) * 1000), isLive });
  if (expected.refused) assert.throws(() => verifier.verify(token, given.audiences), expected.refused);
  else assert.equal(verifier.verify(token, given.audiences).user.username, expected.user);
}

const WEB = 'system:serviceaccount:shop:web';

test('a token stands for its service account', () => check({}, { user: WEB }));
test('a token ends on the second', () => {
  check({ after: 3599 }, { user: WEB });
  check({ after: 3600 }, { refused: /has expired/ });
});
test('a token from an issuer whose clock is a little ahead is good, from the far future it is not', () => {
  check({ after: -60 }, { user: WEB });
  check({ after: -61 }, { refused: /not valid yet/ });
});
test('a token for another audience does not open the API', () => {
  check({ grant: { audiences: ['vault'] } }, { refused: /another audience/ });
  check({ grant: { audiences: ['vault'] }, audiences: ['vault', 'x'] }, { user: WEB });
});
test('a token dies with what it is bound to', () =>
  check(
    { grant: { pod: { name: 'p', uid: 'gone' } }, isLive: ({ pod }) => pod?.uid !== 'gone' },
    { refused: /is gone/ },
  ));

test('forged tokens are refused: no algorithm, a keyed hash over the public key, another key under our key id', () => {
  const [, body] = issuer.issue(grant).token.split('.');
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  check({ token: `${encode({ alg: 'none', kid: keyIdOf(key) })}.${body}.AA` }, { refused: /not ES256/ });
  const keyed = `${encode({ alg: 'HS256', kid: keyIdOf(key) })}.${body}`;
  const secret = createPublicKey(key).export({ format: 'pem', type: 'spki' });
  check(
    { token: `${keyed}.${createHmac('sha256', secret).update(keyed).digest('base64url')}` },
    { refused: /not ES256/ },
  );
  check({ token: signJws(newPrivateKey(), keyIdOf(key), {}) }, { refused: /signature is wrong/ });
  check({ token: signJws(newPrivateKey(), 'unknown', {}) }, { refused: /key is not known/ });
});

test('claims that contradict each other are refused even when they are signed', () => {
  const claims = {
    iss: 'i',
    aud: ['a'],
    exp: 2,
    iat: 1,
    nbf: 1,
    jti: 'x',
    sub: 'system:serviceaccount:kube-system:admin',
  };
  const bound = { namespace: 'shop', serviceaccount: { name: 'web', uid: 'u' } };
  check({ token: signJws(key, keyIdOf(key), { ...claims, 'kubernetes.io': bound }) }, { refused: /incomplete/ });
});

test('any text is refused with a code and never crashes the verifier', () => {
  const verifier = createTokenVerifier({ keys: () => keysById([key]), clock: at(NOW) });
  const part = fc.oneof(
    fc.base64String(),
    fc.json().map((text) => Buffer.from(text).toString('base64url')),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(part, { maxLength: 4 }).map((parts) => parts.join('.')),
      ),
      (token) => {
        assert.throws(
          () => verifier.verify(token),
          (error) => hasCode(error, 'SECURITY_JWT_REFUSED'),
        );
      },
    ),
  );
});

test('the payload and the user are what Kubernetes clients read', () => {
  const bound: TokenGrant = { ...grant, pod: { name: 'p', uid: 'u-2' }, node: { name: 'n', uid: 'u-3' } };
  const { token, expirationTimestamp } = issuer.issue({ ...bound, expirationSeconds: 600 });
  assert.equal(expirationTimestamp, '2026-11-24T08:10:00Z');
  assert.deepEqual(JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()), {
    aud: ['https://kubernetes.default.svc.cluster.local'],
    exp: NOW / 1000 + 600,
    iat: NOW / 1000,
    iss: 'https://kubernetes.default.svc.cluster.local',
    jti: 'id-1',
    'kubernetes.io': {
      namespace: 'shop',
      node: { name: 'n', uid: 'u-3' },
      pod: { name: 'p', uid: 'u-2' },
      serviceaccount: { name: 'web', uid: 'u-1' },
    },
    nbf: NOW / 1000,
    sub: WEB,
  });
  const verifier = createTokenVerifier({ keys: () => keysById([key]), clock: at(NOW) });
  assert.deepEqual(verifier.verify(token).user, {
    username: WEB,
    uid: 'u-1',
    groups: ['system:serviceaccounts', 'system:serviceaccounts:shop', 'system:authenticated'],
    extra: {
      'authentication.kubernetes.io/credential-id': ['JTI=id-1'],
      'authentication.kubernetes.io/node-name': ['n'],
      'authentication.kubernetes.io/node-uid': ['u-3'],
      'authentication.kubernetes.io/pod-name': ['p'],
      'authentication.kubernetes.io/pod-uid': ['u-2'],
    },
  });
});

test('a mounted token asked for with the kubelet’s lifetime lives a year and warns after an hour', () => {
  const { claims } = issuer.issue({ ...grant, pod: { name: 'p', uid: 'u' }, expirationSeconds: 3607 });
  assert.equal(claims.expiresAt - claims.issuedAt, 365 * 24 * 3600);
  assert.equal(claims.warnAfter, claims.issuedAt + 3607);
});

test('a withdrawn key takes the tokens with it that were already seen', () => {
  let keys = keysById([createPublicKey(key)]);
  const verifier = createTokenVerifier({ keys: () => keys, clock: at(NOW) });
  const { token } = issuer.issue(grant);
  verifier.verify(token);
  keys = new Map();
  assert.throws(() => verifier.verify(token), /key is not known/);
});

test('the key set verifies our tokens and holds nothing private', () => {
  const [jwk] = jwks([key]).keys as (JsonWebKey & { kid: string })[];
  assert.equal(jwk?.d, undefined);
  assert.equal(jwk?.kid, keyIdOf(key));
  const keys = keysById([createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' })]);
  const verifier = createTokenVerifier({ keys: () => keys, clock: at(NOW) });
  assert.equal(verifier.verify(issuer.issue(grant).token).user.username, WEB);
});

test('a token that an edge made opens its own local API, not another node’s and not the cloud', () => {
  const identity = newPrivateKey();
  const edge = createEdgeIssuer({ node: 'a', identityKey: identity, key: newPrivateKey(), clock: at(NOW) });
  const { token } = edge.issue({ ...grant, expirationSeconds: 10 ** 9 });
  const local = createTokenVerifier({
    keys: () => edgeKeyOf(edge.statement, 'a', createPublicKey(identity)),
    clock: at(NOW),
  });
  assert.equal(local.verify(token).claims.node?.name, 'a');
  assert.equal(local.verify(token).claims.expiresAt, NOW / 1000 + 24 * 3600);
  check({ token }, { refused: /key is not known/ });
  assert.equal(edgeKeyOf(edge.statement, 'b', createPublicKey(identity)).size, 0);
  assert.equal(edgeKeyOf(edge.statement, 'a', createPublicKey(newPrivateKey())).size, 0);
});
