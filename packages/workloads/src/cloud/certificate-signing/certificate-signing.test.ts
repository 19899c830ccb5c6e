import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CertificateSigningRequest, KeyUsage } from '@skerry/api/types';
import { type ScratchCloud, scratchCloud } from '../testing/scratch-cloud.ts';
import { certificateSigningController, REQUESTS } from './index.ts';
import {
  CLIENT_SIGNER,
  KUBELET_CLIENT_SIGNER,
  KUBELET_SERVING_SIGNER,
  type RequestedNames,
  refusalOf,
} from './recognised.ts';

const HOUR_MS = 3_600_000;
const NAMES: RequestedNames = { commonName: 'ann', organizations: ['team'], dns: [], ips: [], uris: [] };
const NODE: RequestedNames = { ...NAMES, commonName: 'system:node:n1', organizations: ['system:nodes'] };
const REF = { gvr: REQUESTS, name: 'r1' };

interface World extends ScratchCloud {
  readonly request: (signerName: string, names: RequestedNames, usages?: KeyUsage[]) => Promise<void>;
  readonly decide: (type: string) => Promise<void>;
  /** The condition types, with a reason where it is not the test's; and whether there is a certificate. */
  readonly state: () => Promise<string | undefined>;
}

/** What is asked for stands in the request as it is: reading and signing are the authority's, which is another one here. */
async function check(story: (world: World) => Promise<void>): Promise<void> {
  await using cloud = await scratchCloud();
  const { client } = cloud;
  const read = (request: string) => JSON.parse(request) as RequestedNames;
  cloud.run(
    certificateSigningController(cloud.context, { read, sign: ({ request }) => `for ${read(request).commonName}` }),
  );
  const find = () => cloud.find<CertificateSigningRequest>(REF);
  await story({
    ...cloud,
    request: async (signerName, names, usages = ['client auth']) => {
      await client.create<CertificateSigningRequest>(REQUESTS, {
        apiVersion: 'certificates.k8s.io/v1',
        kind: 'CertificateSigningRequest',
        metadata: { name: 'r1' },
        spec: { request: Buffer.from(JSON.stringify(names)).toString('base64'), signerName, usages },
      });
    },
    decide: async (type) => {
      await cloud.calm();
      const condition = { type, status: 'True', reason: 'Test', message: 'by the test' };
      await client.patch(REF, { status: { conditions: [condition] } }, { type: 'merge', subresource: 'approval' });
    },
    state: async () => {
      await cloud.calm();
      const found = await find();
      if (found === undefined) return undefined;
      const { conditions = [], certificate = '' } = found.status ?? {};
      const reasons = conditions.map(({ type, reason }) => (reason === 'Test' ? type : `${type} ${reason}`));
      return [...reasons, Buffer.from(certificate, 'base64').toString()].join(', ');
    },
  });
}

test('what is approved is signed, what is denied is not', () =>
  check(async ({ request, decide, state, client }) => {
    await request(CLIENT_SIGNER, NAMES);
    assert.equal(await state(), '', 'nobody approves but a person');
    await decide('Approved');
    assert.equal(await state(), 'Approved, for ann');
    await client.delete(REF);
    await request(CLIENT_SIGNER, NAMES);
    await decide('Denied');
    assert.equal(await state(), 'Denied, ');
  }));

test('a request of another signer is left alone', () =>
  check(async ({ request, decide, state }) => {
    await request('example.com/mine', NAMES);
    await decide('Approved');
    assert.equal(await state(), 'Approved, ');
  }));

test('what its signer does not sign fails once it is approved', () =>
  check(async ({ request, decide, state }) => {
    await request(KUBELET_SERVING_SIGNER, NODE, ['server auth']);
    await decide('Approved');
    assert.equal(await state(), 'Approved, Failed SignerValidationFailure, ');
  }));

test("a node's own certificate is approved by itself", () =>
  check(async ({ request, state }) => {
    await request(KUBELET_CLIENT_SIGNER, NODE, ['digital signature', 'client auth']);
    assert.equal(await state(), 'Approved AutoApproved, for system:node:n1');
  }));

test('a decided request goes after an hour, one that nobody looked at after a day', () =>
  check(async ({ request, decide, state, clock }) => {
    await request(CLIENT_SIGNER, NAMES);
    await clock.advance(23 * HOUR_MS);
    assert.equal(await state(), '');
    await clock.advance(HOUR_MS);
    assert.equal(await state(), undefined);
    await request(CLIENT_SIGNER, NAMES);
    await decide('Approved');
    assert.equal(await state(), 'Approved, for ann');
    await clock.advance(HOUR_MS);
    assert.equal(await state(), undefined);
  }));

test('each signer signs its own names for its own use', () => {
  const refused = (signerName: string, names: RequestedNames, ...usages: string[]) =>
    refusalOf({ signerName, names, usages }) !== undefined;
  assert.equal(refused(CLIENT_SIGNER, NAMES, 'client auth', 'digital signature'), false);
  assert.equal(refused(CLIENT_SIGNER, NAMES, 'client auth', 'server auth'), true);
  assert.equal(refused(CLIENT_SIGNER, { ...NAMES, organizations: ['system:masters'] }, 'client auth'), true);
  assert.equal(refused(CLIENT_SIGNER, NODE, 'client auth'), true);
  assert.equal(refused(KUBELET_CLIENT_SIGNER, NODE, 'client auth'), false);
  assert.equal(refused(KUBELET_CLIENT_SIGNER, { ...NODE, dns: ['n1'] }, 'client auth'), true);
  assert.equal(refused(KUBELET_CLIENT_SIGNER, { ...NODE, commonName: 'system:node:' }, 'client auth'), true);
  assert.equal(refused(KUBELET_CLIENT_SIGNER, { ...NODE, commonName: 'system:node:a/b' }, 'client auth'), true);
  assert.equal(refused(KUBELET_SERVING_SIGNER, { ...NODE, ips: ['10.0.0.1'] }, 'server auth'), false);
  assert.equal(refused(KUBELET_SERVING_SIGNER, { ...NAMES, ips: ['10.0.0.1'] }, 'server auth'), true);
});
