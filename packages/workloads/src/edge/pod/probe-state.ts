/** Thresholds of one probe: how many results in a row turn its verdict. Pure. */
import type { Probe } from './types.ts';

export type ProbeKind = 'startup' | 'liveness' | 'readiness';

export interface ProbeState {
  /** What the probe says so far; a startup probe says nothing until it has passed or failed for good. */
  readonly verdict: 'unknown' | 'success' | 'failure';
  readonly last: 'success' | 'failure' | undefined;
  readonly inARow: number;
}

/** Liveness counts as fine until proven otherwise; readiness and startup as not. */
export function initialProbeState(kind: ProbeKind): ProbeState {
  const verdict = kind === 'liveness' ? 'success' : kind === 'readiness' ? 'failure' : 'unknown';
  return { verdict, last: undefined, inARow: 0 };
}

export function afterProbe(state: ProbeState, result: 'success' | 'failure', probe: Probe): ProbeState {
  const inARow = result === state.last ? state.inARow + 1 : 1;
  const threshold = result === 'success' ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3);
  return { verdict: inARow >= threshold ? result : state.verdict, last: result, inARow };
}

export function probePeriodMs({ periodSeconds }: Probe): number {
  return Math.max(1, periodSeconds || 10) * 1000;
}

export function probeTimeoutMs({ timeoutSeconds }: Probe): number {
  return Math.max(1, timeoutSeconds || 1) * 1000;
}
