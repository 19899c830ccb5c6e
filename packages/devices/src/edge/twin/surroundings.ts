/** What of a device decides about its writes. Pure. */
import { parseDuration } from '@skerry/api/durations';
import type { LiveDevice } from '../worker/live-device.ts';
import type { Surroundings } from './property-twin.ts';

export function surroundingsOf({ isConnected, device }: LiveDevice, now: number): Surroundings {
  const { whileDisconnected = 'Wait', expireAfter } = device.spec.writes ?? {};
  const expireAfterMs = expireAfter === undefined ? undefined : parseDuration(expireAfter);
  return {
    now,
    isConnected,
    whileDisconnected,
    ...(expireAfterMs === undefined ? {} : { expireAfterMs }),
  };
}
