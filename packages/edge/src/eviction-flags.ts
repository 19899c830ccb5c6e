/** When this node ends pods to stay alive: a kubelet's flags, with its names and its defaults. */
import { type FlagTable, type FlagValues, flagErrors, parseDuration } from '@skerry/base/flags';
import {
  DEFAULT_HARD,
  type EvictionSettings,
  parseGracePeriods,
  parseReclaim,
  parseThresholds,
  thresholdsOf,
} from '@skerry/workloads/edge';

export const evictionFlags = {
  'eviction-hard': {
    text: 'Pods are ended at once when the node has less than this.',
    value: 'SIGNAL<VALUE,…',
    parse: parseThresholds,
    fallback: parseThresholds(DEFAULT_HARD),
    fallbackText: DEFAULT_HARD,
  },
  'eviction-soft': {
    text: 'Pods are ended when the node has had less than this for the grace period.',
    value: 'SIGNAL<VALUE,…',
    parse: parseThresholds,
    fallback: parseThresholds(''),
    fallbackText: 'none',
  },
  'eviction-soft-grace-period': {
    text: 'For how long, for each signal of --eviction-soft.',
    value: 'SIGNAL=DURATION,…',
    parse: parseGracePeriods,
    fallback: parseGracePeriods(''),
    fallbackText: 'none',
  },
  'eviction-minimum-reclaim': {
    text: 'How much more than the threshold has to be free before a shortage is over.',
    value: 'SIGNAL=VALUE,…',
    parse: parseReclaim,
    fallback: parseReclaim(''),
    fallbackText: 'none',
  },
  'eviction-max-pod-grace-period': {
    text: 'Seconds that a pod gets at most to end when a soft threshold ends it.',
    value: 'SECONDS',
    parse: parseSeconds,
    fallback: 0,
  },
  'eviction-pressure-transition-period': {
    text: 'For how long a pressure that is over is still told of.',
    value: 'DURATION',
    parse: parseDuration,
    fallback: 300_000,
    fallbackText: '5m',
  },
} as const satisfies FlagTable;

/** Throws a FLAGS error where the flags contradict one another. */
export function evictionSettings(flags: FlagValues<typeof evictionFlags>): EvictionSettings {
  const texts = {
    hard: flags['eviction-hard'],
    soft: flags['eviction-soft'],
    softGrace: flags['eviction-soft-grace-period'],
    minimumReclaim: flags['eviction-minimum-reclaim'],
  };
  try {
    return {
      thresholds: thresholdsOf(texts),
      maxPodGraceSeconds: flags['eviction-max-pod-grace-period'],
      pressureTransitionMs: flags['eviction-pressure-transition-period'],
    };
  } catch (cause) {
    const value = [...texts.soft.keys()].join(',');
    throw flagErrors.INVALID({ flag: 'eviction-soft', value, problem: (cause as Error).message }, { cause });
  }
}

function parseSeconds(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new Error('must be a number of seconds');
}
