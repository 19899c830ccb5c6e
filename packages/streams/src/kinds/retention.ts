/** Retention: which series a node or the cloud keeps, how finely, and for how long. */
import type { KubeObject } from '@skerry/api';
import { definition, flag, integer, list, mapOf, number, object, period, text } from '@skerry/api/definitions';
import { RETENTIONS } from './group.ts';
import {
  type NodeStatus,
  nodeStatuses,
  type Placed,
  perSecond,
  placed,
  type SeriesMatcher,
  seriesMatchers,
} from './shared.ts';

export interface Retention extends KubeObject {
  readonly spec: RetentionSpec;
  readonly status?: RetentionStatus;
}

export interface RetentionSpec extends Placed {
  /** The cloud’s store keeps to it too. */
  readonly cloud?: boolean;
  /** All series of the namespace without it. */
  readonly series?: readonly SeriesMatcher[];
  /** Values as they came. Not kept with `0s`. */
  readonly keep?: string;
  readonly tiers?: readonly RetentionTier[];
  /** Of all series of this object together; beyond it the oldest goes. */
  readonly maxBytes?: number;
}

/** Minimum, maximum, average, count, first and last of each step. */
export interface RetentionTier {
  readonly step: string;
  readonly keep: string;
}

export interface RetentionStatus {
  readonly nodes?: readonly string[];
  readonly state?: string;
  readonly onNodes?: Readonly<Record<string, RetentionNodeStatus>>;
}

export interface RetentionNodeStatus extends NodeStatus {
  readonly series?: number;
  readonly points?: number;
  readonly bytes?: number;
  readonly bytesPerPoint?: number;
  readonly pointsPerSecond?: number;
  readonly oldest?: string;
  readonly dropped?: Readonly<Record<string, number>>;
}

export const retentionDefinition: KubeObject = definition({
  kind: 'Retention',
  gvr: RETENTIONS,
  description: 'Which series are kept, how finely, and for how long.',
  spec: object('What is kept.', {
    ...placed,
    cloud: flag('The cloud’s store keeps to it too.', { default: true }),
    series: seriesMatchers('Series that one of these matches; all of the namespace without it.'),
    keep: period('Values as they came are kept so long.', { default: '7d' }),
    tiers: list(
      'What is kept of a value after that: minimum, maximum, average, count, first and last of each step.',
      object('One step.', { step: period('Its length.'), keep: period('It is kept so long.') }, ['step', 'keep']),
      8,
    ),
    maxBytes: integer('All together; beyond it the oldest goes.', { minimum: 1_048_576 }),
  }),
  status: nodeStatuses('What is kept.', {
    series: integer('Series.'),
    points: integer('Values of these.'),
    bytes: integer('Their bytes on disk.'),
    bytesPerPoint: number('Bytes of a value.'),
    pointsPerSecond: perSecond('Values that came'),
    oldest: text('Time of the oldest.'),
    dropped: mapOf('Values that were not kept, by reason.', integer('How many.'), 16),
  }),
  columns: [
    { name: 'Keep', path: '.spec.keep' },
    { name: 'State', path: '.status.state' },
  ],
});
