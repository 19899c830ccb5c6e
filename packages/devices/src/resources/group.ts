/** The kinds of `devices.skerry.io` by name. */
import type { Gvr } from '@skerry/api';

export const DEVICES_GROUP = 'devices.skerry.io';
const DEVICES_VERSION = 'v1alpha1';
export const DEVICES_API_VERSION = `${DEVICES_GROUP}/${DEVICES_VERSION}`;

const resource = (name: string): Gvr => ({ group: DEVICES_GROUP, version: DEVICES_VERSION, resource: name });

export const DEVICE_MODELS: Gvr = resource('devicemodels');
export const DEVICES: Gvr = resource('devices');
export const DEVICE_DISCOVERIES: Gvr = resource('devicediscoveries');
export const DEVICE_PROPOSALS: Gvr = resource('deviceproposals');
export const OPCUA_SERVERS: Gvr = resource('opcuaservers');
export const MQTT_BROKERS: Gvr = resource('mqttbrokers');
export const TRUST_LISTS: Gvr = resource('trustlists');
export const CONTROL_LOOPS: Gvr = resource('controlloops');
