/** Route: which series of nodes go to the cloud, with which priority, and what of the line they may take. */
import type { KubeObject } from '@skerry/api';
import {
  choice,
  definition,
  duration,
  integer,
  list,
  listBy,
  mapOf,
  object,
  period,
  text,
  time,
} from '@skerry/api/definitions';
import { ROUTES } from './group.ts';
import {
  type NodeStatus,
  nodeStatuses,
  type Placed,
  perSecond,
  placed,
  type SeriesMatcher,
  seriesMatchers,
} from './shared.ts';

export interface Route extends KubeObject {
  readonly spec: RouteSpec;
  readonly status?: RouteStatus;
}

export interface RouteSpec extends Placed {
  /** All series of the namespace without it. */
  readonly series?: readonly SeriesMatcher[];
  /** Alarms go before everything else, live values before what waited. */
  readonly priority?: 'Alarms' | 'Live';
  /** One value a series and step at most; all without it. */
  readonly thin?: { readonly step: string; readonly aggregate?: 'Last' | 'First' | 'Average' | 'Minimum' | 'Maximum' };
  readonly batch?: { readonly maxRows?: number; readonly maxDelay?: string };
  readonly queue?: { readonly maxBytes?: number; readonly maxAge?: string };
  readonly budget?: RouteBudget;
}

/** Without any, as much as the link takes. */
export interface RouteBudget {
  readonly bytesPerSecond?: number;
  readonly windows?: readonly BudgetWindow[];
}

/** Another budget at a time of the day; the first that holds counts. */
export interface BudgetWindow {
  readonly name: string;
  /** `22:00`, in `timeZone`. */
  readonly from: string;
  readonly to: string;
  readonly days?: readonly Day[];
  readonly timeZone?: string;
  /** 0: nothing goes. */
  readonly bytesPerSecond: number;
}

export const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const;
export type Day = (typeof DAYS)[number];

export interface RouteStatus {
  readonly nodes?: readonly string[];
  readonly state?: string;
  readonly onNodes?: Readonly<Record<string, RouteNodeStatus>>;
}

export interface RouteNodeStatus extends NodeStatus {
  readonly queuedRows?: number;
  readonly queuedBytes?: number;
  readonly sentRows?: number;
  readonly acknowledgedRows?: number;
  readonly sentBytes?: number;
  readonly sentRowsPerSecond?: number;
  /** Time of the oldest row that waits. */
  readonly oldest?: string;
  readonly dropped?: Readonly<Record<string, number>>;
}

const clockTime = (description: string) =>
  text(description, { pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$', maxLength: 5 });
const bytesPerSecond = integer('Bytes a second on the link; with 0 nothing goes.', { minimum: 0 });

export const routeDefinition: KubeObject = definition({
  kind: 'Route',
  gvr: ROUTES,
  description: 'Series that go from nodes to the cloud, each value once and in order, whatever the link does.',
  spec: object('The route.', {
    ...placed,
    series: seriesMatchers('Series that one of these matches; all of the namespace without it.'),
    priority: choice(
      'Alarms go before everything else; live values go before what waited.',
      ['Alarms', 'Live'],
      'Live',
    ),
    thin: object(
      'One value a series and step at most.',
      {
        step: duration('Length of a step.'),
        aggregate: choice('Which.', ['Last', 'First', 'Average', 'Minimum', 'Maximum'], 'Last'),
      },
      ['step'],
    ),
    batch: object('What goes at once.', {
      maxRows: integer('So many values.', { minimum: 1, maximum: 100_000, default: 8192 }),
      maxDelay: duration('A value waits so long for others.', { default: '500ms' }),
    }),
    queue: object('What waits while the link is gone.', {
      maxBytes: integer('So much; beyond it the oldest is dropped and counted.', {
        minimum: 1_048_576,
        default: 1_073_741_824,
      }),
      maxAge: period('So long.', { default: '30d' }),
    }),
    budget: object('What of the link it may take; all that there is without it.', {
      bytesPerSecond,
      windows: listBy(
        'name',
        'Another budget at times of the day; the first that holds counts.',
        object(
          'A time of the day.',
          {
            name: text('Name.', { minLength: 1, maxLength: 63 }),
            from: clockTime('When it begins.'),
            to: clockTime('When it ends; before its beginning: on the next day.'),
            days: list('Days on which it begins; every day without it.', choice('A day.', DAYS), 7),
            timeZone: text('IANA name of the zone of these times; UTC without it.', { maxLength: 64 }),
            bytesPerSecond,
          },
          ['name', 'from', 'to', 'bytesPerSecond'],
        ),
        16,
      ),
    }),
  }),
  status: nodeStatuses('How it does.', {
    queuedRows: integer('Values that wait.'),
    queuedBytes: integer('Their bytes on disk.'),
    sentRows: integer('Values that were sent.'),
    acknowledgedRows: integer('Values that the cloud has.'),
    sentBytes: integer('Bytes that were sent.'),
    sentRowsPerSecond: perSecond('Values'),
    oldest: time('Time of the oldest value that waits.'),
    dropped: mapOf('Values that were dropped, by reason.', integer('How many.'), 16),
  }),
  columns: [
    { name: 'Priority', path: '.spec.priority' },
    { name: 'State', path: '.status.state' },
  ],
});
