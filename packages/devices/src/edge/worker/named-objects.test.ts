/** What a connection names: it may change, and certificates that it did not name may come. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { Gvr } from '@skerry/api';
import type { DeviceSettings, Driver } from '../driver.ts';
import { DriverError } from '../driver-error.ts';
import { createSimulator } from '../drivers/simulator/driver.ts';
import { scratchWorker } from '../testing/scratch-worker.ts';

const SECRETS: Gvr = { group: '', version: 'v1', resource: 'secrets' };
const TRUST_LISTS: Gvr = { group: 'devices.skerry.io', version: 'v1alpha1', resource: 'trustlists' };

const MODEL = { properties: [{ name: 'level', type: 'float64' }] };
const VISITORS = [{ property: 'level', address: { signal: 'Constant', initial: { value: 1 } } }];
const CERTIFICATE = new TextEncoder().encode('whatever the other side has sent');

/** A simulator that remembers with what it was connected, and accepts who is in the trust list. */
function watchful() {
  const connected: DeviceSettings[] = [];
  const simulator = async ({ clock }: { clock: Parameters<typeof createSimulator>[0] }): Promise<Driver> => {
    const inner = createSimulator(clock);
    return {
      ...inner,
      connect: (settings, context) => {
        connected.push(settings);
        if (settings.trust?.trusted.length === 0) {
          context.onRejectedCertificate?.(CERTIFICATE, 'nobody vouches for it');
          return Promise.reject(new DriverError('AccessDenied', 'the certificate is not trusted'));
        }
        return inner.connect(settings, context);
      },
    };
  };
  return { connected, loaders: { simulator } };
}

test('a Secret that changes is taken up soon, by a new session', async () => {
  const { connected, loaders } = watchful();
  await using scratch = await scratchWorker(loaders);
  const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'login', namespace: 'default' } };
  await scratch.client.create(SECRETS, { ...secret, data: { username: 'YQ==' } });
  await scratch.model('model', MODEL);
  await scratch.device('tank', { visitors: VISITORS, connection: { secretName: 'login' } });
  await scratch.until('the connection', async () => (await scratch.get('tank')).status?.state === 'Connected');
  await scratch.clock.advance(60_000);
  assert.equal(connected.length, 1);
  const ref = { gvr: SECRETS, namespace: 'default', name: 'login' };
  await scratch.client.patch(ref, { data: { username: 'Yg==' } }, { type: 'merge' });
  await scratch.until('another session', async () => connected.length === 2);
  assert.deepEqual(connected[1]?.secret['username'], new Uint8Array([98]));
});

test('a refused certificate is in the status, and accepted once the trust list has it', async () => {
  const { loaders } = watchful();
  await using scratch = await scratchWorker(loaders);
  const list = {
    apiVersion: 'devices.skerry.io/v1alpha1',
    kind: 'TrustList',
    metadata: { name: 'site', namespace: 'default' },
  };
  await scratch.client.create(TRUST_LISTS, { ...list, spec: {} });
  await scratch.model('model', MODEL);
  await scratch.device('tank', { visitors: VISITORS, connection: { trustList: 'site' } });
  const [rejected, ...more] = await scratch.until(
    'the refusal',
    async () => (await scratch.get('tank')).status?.rejectedCertificates,
  );
  assert.deepEqual(more, []);
  assert.equal(rejected?.thumbprint, createHash('sha256').update(CERTIFICATE).digest('hex'));
  assert.equal(rejected?.reason, 'nobody vouches for it');
  const ref = { gvr: TRUST_LISTS, namespace: 'default', name: 'site' };
  const trusted = [{ name: 'press', pem: rejected?.pem ?? '' }];
  await scratch.client.patch(ref, { spec: { trusted } }, { type: 'merge' });
  await scratch.until('the connection', async () => (await scratch.get('tank')).status?.state === 'Connected');
});
