/** The node's OPC UA gateway: a process that runs while an OpcUaServer is placed here, and whose end nobody else feels. */
import type { Clock, Logger } from '@skerry/base';
import { type GatewayStart, OPCUA_SERVERS } from '@skerry/devices/supervision';
import { keyPrefix, type Store } from '@skerry/kube/store';
import { followPlaced } from './placed.ts';
import { createWorkerProcess } from './worker-process.ts';

export interface OpcUaGatewayOptions extends GatewayStart {
  readonly bundle: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface OpcUaGateway {
  close(): Promise<void>;
}

export function openOpcUaGateway(options: OpcUaGatewayOptions): OpcUaGateway {
  const { node, socket, token, values, folder, bundle, store, clock, log } = options;
  const start: GatewayStart = { node, socket, token, values, folder };
  const worker = createWorkerProcess({ name: 'opcua-gateway', bundle, start, clock, log, random: Math.random });
  const prefix = keyPrefix(OPCUA_SERVERS.group, OPCUA_SERVERS.resource);
  const end = followPlaced({ store, node, prefix }, (isAny) => worker.want(isAny));
  return {
    close: async () => {
      end();
      await worker.close();
    },
  };
}
