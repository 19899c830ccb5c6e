/** The cloud's controllers of devices. */
import type { Clock, Logger } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import { runController, startInformer } from '@skerry/kube/controller';
import type { DeviceModel } from '../resources/device-model.ts';
import type { DeviceDiscovery, DeviceProposal } from '../resources/discovery.ts';
import { DEVICE_DISCOVERIES, DEVICE_MODELS, DEVICE_PROPOSALS } from '../resources/group.ts';
import { proposalController } from './proposals.ts';

export interface DeviceControllersOptions {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** Until the signal aborts. */
export function runDeviceControllers(options: DeviceControllersOptions): Promise<void> {
  const spec = proposalController({
    ...options,
    proposals: startInformer<DeviceProposal>(options, { gvr: DEVICE_PROPOSALS }),
    discoveries: startInformer<DeviceDiscovery>(options, { gvr: DEVICE_DISCOVERIES }),
    models: startInformer<DeviceModel>(options, { gvr: DEVICE_MODELS }),
  });
  return runController(spec, options);
}
