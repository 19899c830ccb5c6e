/** All kinds of `devices.skerry.io`, as definitions that the cloud installs. */
import type { KubeObject } from '@skerry/api';
import { controlLoopDefinition } from './control-loop.ts';
import { deviceDefinition } from './device.ts';
import { deviceModelDefinition } from './device-model.ts';
import { deviceDiscoveryDefinition, deviceProposalDefinition } from './discovery.ts';
import { mqttBrokerDefinition } from './mqtt-broker.ts';
import { opcUaServerDefinition } from './opcua-server.ts';
import { trustListDefinition } from './trust-list.ts';

export function deviceCrds(): readonly KubeObject[] {
  return [
    deviceModelDefinition,
    deviceDefinition,
    deviceDiscoveryDefinition,
    deviceProposalDefinition,
    opcUaServerDefinition,
    mqttBrokerDefinition,
    trustListDefinition,
    controlLoopDefinition,
  ];
}
