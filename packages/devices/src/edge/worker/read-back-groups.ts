/** The groups by which single values are read back. A driver keeps every group until its session ends, so there are only so many. */
import type { ReadGroup, SampleSink, Session } from '../driver.ts';
import { driverErrorOf } from '../driver-error.ts';
import type { PlannedPoint } from './device-plan.ts';

/** So many lists of several properties have a group of their own; those beyond it are read property by property. */
const MAX_LISTS = 64;

/** Invariant: a session is asked for `MAX_LISTS` groups at most and one a property, however much is read. */
export class ReadBackGroups {
  readonly #session: Session;
  readonly #single = new Map<PlannedPoint, ReadGroup>();
  readonly #lists = new Map<string, ReadGroup>();

  constructor(session: Session) {
    this.#session = session;
  }

  isOf(session: Session): boolean {
    return this.#session === session;
  }

  of(points: readonly PlannedPoint[]): ReadGroup {
    const [only] = points;
    if (only !== undefined && points.length === 1) return this.#singleOf(only);
    const key = JSON.stringify(points.map(({ property }) => property.name));
    const known = this.#lists.get(key);
    if (known !== undefined) return known;
    if (this.#lists.size >= MAX_LISTS) return oneByOne(points.map((point) => this.#singleOf(point)));
    const group = this.#session.group(points.map(({ point }) => point));
    this.#lists.set(key, group);
    return group;
  }

  #singleOf(point: PlannedPoint): ReadGroup {
    const known = this.#single.get(point);
    if (known !== undefined) return known;
    const group = this.#session.group([point.point]);
    this.#single.set(point, group);
    return group;
  }
}

function oneByOne(groups: readonly ReadGroup[]): ReadGroup {
  return {
    read: async (sink, signal) => {
      for (const [index, group] of groups.entries()) {
        try {
          await group.read(sinkAt(sink, index), signal);
        } catch (error) {
          sink.fail(index, driverErrorOf(error));
        }
      }
    },
  };
}

function sinkAt(sink: SampleSink, at: number): SampleSink {
  return {
    value: (_, raw, time, quality) => sink.value(at, raw, time, quality),
    fail: (_, error) => sink.fail(at, error),
    lost: (count) => sink.lost?.(count),
  };
}
