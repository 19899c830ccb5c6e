/** Endpoints of Services, without and with pods. */
import type { EndpointSlice, Endpoints } from '@skerry/api/types';
import type { Lab } from '../lab.ts';
import { type Requirement, requirement } from '../requirement.ts';

const PORT = { name: 'http', port: 80, protocol: 'TCP' };

export const NETWORK: readonly Requirement[] = [
  requirement(
    '[sig-network] EndpointSlice should create and delete EndpointSlices for a Service with a selector that matches no pods',
    'a Service whose selector finds no pod has an empty EndpointSlice, which goes with it',
    (lab) => emptyAndGone(lab),
  ),
  requirement(
    '[sig-network] EndpointsController should create and delete Endpoints for a Service with a selector that matches no pods',
    'a Service whose selector finds no pod has empty Endpoints, which go with it',
    (lab) => emptyAndGone(lab),
  ),
];

async function emptyAndGone(lab: Lab): Promise<void> {
  const services = lab.of('Service');
  await services.create({ metadata: { name: 'empty' }, spec: { selector: { none: 'at-all' }, ports: [PORT] } });
  await lab.eventually('both are there, and empty', async () => {
    const [slice] = await slicesOf(lab, 'empty');
    const endpoints = await endpointsOf(lab, 'empty');
    if (slice === undefined || endpoints === undefined) return false;
    return (slice.endpoints ?? []).length === 0 && (endpoints.subsets ?? []).length === 0;
  });
  await services.delete('empty');
  await lab.eventually('both are gone', async () => {
    return (await slicesOf(lab, 'empty')).length === 0 && (await endpointsOf(lab, 'empty')) === undefined;
  });
}

async function slicesOf(lab: Lab, service: string): Promise<readonly EndpointSlice[]> {
  const labelSelector = `kubernetes.io/service-name=${service}`;
  return (await lab.of('EndpointSlice').list({ labelSelector })).items;
}

async function endpointsOf(lab: Lab, service: string): Promise<Endpoints | undefined> {
  const { items } = await lab.of('Endpoints').list({ fieldSelector: `metadata.name=${service}` });
  return items[0];
}
