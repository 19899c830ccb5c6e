import type { DeviceSettings } from '../driver.ts';

/** Of a device that needs nothing special. */
export function settingsOf(given: Partial<DeviceSettings> = {}): DeviceSettings {
  return {
    namespace: 'default',
    name: 'device',
    endpoint: '',
    timeoutMs: 1000,
    retries: 0,
    options: {},
    secret: {},
    files: {},
    ...given,
  };
}
