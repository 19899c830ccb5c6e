/** Makes Devices of proposals that a person or a policy has accepted. */
import { isStatus, type KubeObject } from '@skerry/api';
import { messageOf } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import { type ControllerSpec, type Informer, keyOf, reading, watching } from '@skerry/kube/controller';
import { decide } from '../discovery/decide.ts';
import type { DeviceModel } from '../resources/device-model.ts';
import type { DeviceDiscovery, DeviceProposal } from '../resources/discovery.ts';
import { DEVICE_MODELS, DEVICE_PROPOSALS, DEVICES } from '../resources/group.ts';

export interface ProposalContext {
  readonly client: Client;
  readonly proposals: Informer<DeviceProposal>;
  readonly discoveries: Informer<DeviceDiscovery>;
  readonly models: Informer<DeviceModel>;
}

export function proposalController(context: ProposalContext): ControllerSpec {
  const { proposals, discoveries } = context;
  const ofDiscovery = ({ metadata }: DeviceDiscovery) =>
    proposals.cache
      .list()
      .filter((each) => each.metadata.namespace === metadata.namespace && each.spec.discovery === metadata.name)
      .map(keyOf);
  return {
    name: 'device-proposals',
    watches: [
      watching(proposals, ({ object }) => [keyOf(object)]),
      watching(discoveries, ({ object }) => ofDiscovery(object)),
    ],
    reads: [reading(context.models)],
    reconcile: async (key) => {
      await reconcile(context, key);
      return undefined;
    },
  };
}

async function reconcile({ client, proposals, discoveries, models }: ProposalContext, key: string): Promise<void> {
  const proposal = proposals.cache.get(key);
  if (proposal === undefined) return;
  const { namespace = '' } = proposal.metadata;
  const discovery = discoveries.cache.get(`${namespace}/${proposal.spec.discovery}`);
  const decision = decide(proposal, discovery, (name) => models.cache.get(name) !== undefined);
  if (decision.is !== 'accepted') return;
  const { device, model } = decision;
  const tell = (status: NonNullable<DeviceProposal['status']>) =>
    client.patch(
      { gvr: DEVICE_PROPOSALS, namespace, name: proposal.metadata.name ?? '' },
      { status },
      { type: 'merge', subresource: 'status' },
    );
  try {
    if (model !== undefined) await createOnce(client, DEVICE_MODELS, model);
    await createOnce(client, DEVICES, device);
    await tell({ device: device.metadata.name ?? '', lastError: '' });
  } catch (error) {
    // What the API refuses it will refuse again, until somebody changes the proposal.
    if (!isStatus(error, 'Invalid', 'Forbidden', 'AlreadyExists', 'BadRequest')) throw error;
    const lastError = messageOf(error);
    if (proposal.status?.lastError !== lastError) await tell({ lastError });
  }
}

/** The same object again, after a kill between its creation and the status, is no error. */
async function createOnce(client: Client, gvr: typeof DEVICES, object: KubeObject): Promise<void> {
  try {
    await client.create(gvr, object);
  } catch (error) {
    if (!isStatus(error, 'AlreadyExists')) throw error;
    const { name = '', namespace } = object.metadata;
    const there = await client.get<KubeObject>({ gvr, name, ...(namespace === undefined ? {} : { namespace }) });
    if (JSON.stringify(there.metadata.annotations ?? {}) !== JSON.stringify(object.metadata.annotations ?? {}))
      throw error;
  }
}
