/** Endpoints by hand, and the slices that mirror them. */
import type { EndpointSlice } from '@skerry/api/types';
import type { Lab } from '../lab.ts';
import { type Requirement, requirement } from '../requirement.ts';

const PORTS = [{ name: 'example', port: 9000, protocol: 'TCP' }];

export const MIRRORING: readonly Requirement[] = [
  requirement(
    '[sig-network] EndpointSliceMirroring should mirror a custom Endpoints resource through create update and delete',
    'Endpoints of a Service without selector appear in one EndpointSlice, which follows them and goes with them',
    (lab) => isMirrored(lab),
  ),
];

async function isMirrored(lab: Lab): Promise<void> {
  await lab.of('Service').create({ metadata: { name: 'by-hand' }, spec: { ports: PORTS } });
  const endpoints = lab.of('Endpoints');
  await endpoints.create({
    metadata: { name: 'by-hand' },
    subsets: [{ addresses: [{ ip: '10.1.2.3' }], ports: PORTS }],
  });
  await lab.eventually('the Endpoints are mirrored', async () => leadsTo(await slicesOf(lab), '10.1.2.3'));
  await endpoints.patch('by-hand', { subsets: [{ addresses: [{ ip: '10.2.3.4' }], ports: PORTS }] });
  await lab.eventually('the change is mirrored', async () => leadsTo(await slicesOf(lab), '10.2.3.4'));
  await endpoints.delete('by-hand');
  await lab.eventually('the slice is gone', async () => (await slicesOf(lab)).length === 0);
}

async function slicesOf(lab: Lab): Promise<readonly EndpointSlice[]> {
  const labelSelector = 'kubernetes.io/service-name=by-hand';
  return (await lab.of('EndpointSlice').list({ labelSelector })).items;
}

/** There is one slice, with that one endpoint. */
function leadsTo([slice, ...more]: readonly EndpointSlice[], address: string): boolean {
  if (slice === undefined || more.length > 0) return false;
  const { endpoints = [], ports = [] } = slice;
  return endpoints.length === 1 && endpoints[0]?.addresses.join() === address && ports[0]?.port === 9000;
}
