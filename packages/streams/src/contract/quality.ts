/** How far a value can be trusted: one byte, with the meanings that OPC gave it, which every SCADA system knows. */

/** The upper two bits say good, uncertain or bad; the next four say why. */
export const Quality = {
  bad: 0,
  configurationError: 4,
  notConnected: 8,
  deviceFailure: 12,
  sensorFailure: 16,
  /** Communication has ended; the value is the last known one. */
  lastKnown: 20,
  communicationFailure: 24,
  outOfService: 28,
  waitingForInitialData: 32,
  uncertain: 64,
  /** Nothing new came for longer than the property allows. */
  stale: 68,
  sensorNotAccurate: 80,
  outOfRange: 84,
  good: 192,
  /** A person or a program has set the value in the place of the device. */
  localOverride: 216,
} as const;

export type Severity = 'Good' | 'Uncertain' | 'Bad';

const SEVERITY_MASK = 0xc0;

export function isGood(quality: number): boolean {
  return (quality & SEVERITY_MASK) === Quality.good;
}

export function isBad(quality: number): boolean {
  return (quality & SEVERITY_MASK) === Quality.bad;
}

export function severityOf(quality: number): Severity {
  if (isGood(quality)) return 'Good';
  return isBad(quality) ? 'Bad' : 'Uncertain';
}
