/** The protocols that come with Skerry. A driver of somebody else's has a name that is not here, and checks at its node. */
import { framesProtocol } from './frames.ts';
import { httpProtocol } from './http.ts';
import { modbusProtocol } from './modbus.ts';
import { mqttProtocol } from './mqtt.ts';
import { opcuaProtocol } from './opcua.ts';
import type { Protocol } from './protocol.ts';
import { simulatorProtocol } from './simulator.ts';
import { textLinesProtocol } from './text-lines.ts';

const ALL: readonly Protocol[] = [
  framesProtocol,
  httpProtocol,
  modbusProtocol,
  mqttProtocol,
  opcuaProtocol,
  simulatorProtocol,
  textLinesProtocol,
];

const BY_NAME: ReadonlyMap<string, Protocol> = new Map(ALL.map((protocol) => [protocol.name, protocol]));

export function protocolNamed(name: string): Protocol | undefined {
  return BY_NAME.get(name);
}

export function protocols(): readonly Protocol[] {
  return ALL;
}
