/** Results as values of series, like those of devices: the rest of the node sees no difference. */
import { BatchBuilder, Quality } from '../../contract/index.ts';
import type { BusSink, RuleSink } from '../../kinds/rule.ts';
import type { Row, Value } from '../../sql/index.ts';
import { type BusValue, toBus } from '../bus-values.ts';
import { fieldsOf, fillIn } from './format-row.ts';
import type { Sink, SinkContext } from './sink.ts';

/** One field of a result. */
export interface FieldValue extends BusValue {
  readonly object: string;
  readonly property: string;
  readonly time: number;
}

/** The values of a result; text that names no property, and NULL, are left out. */
export function valuesOf(
  sink: RuleSink,
  { object, timeField }: BusSink,
  rule: string,
  row: Row,
  time: number,
): readonly FieldValue[] {
  const name = object === undefined ? rule : fillIn(object, row);
  const own = timeField === undefined ? undefined : timeOf(row[timeField]);
  const at = own ?? time;
  return Object.entries(fieldsOf(sink, row)).flatMap(([property, value]) => {
    const made = property === timeField || !PROPERTY.test(property) ? undefined : toBus(value);
    return made === undefined ? [] : [{ ...made, object: name, property, time: at }];
  });
}

/** Parts of the name of a series hold no slash. */
const PROPERTY = /^[^/]{1,253}$/;

function timeOf(value: Value): number | undefined {
  if (value instanceof Date) return value.getTime();
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

export function busSink({ sink, rule, namespace, values }: SinkContext): Sink {
  const settings = sink.bus ?? {};
  let count = 0;
  return {
    take: (rows, time) => {
      count += rows.length;
      const builder = new BatchBuilder();
      const publish = () => {
        const batch = builder.take();
        if (batch !== undefined) values.bus.publish(batch);
      };
      for (const row of rows) {
        for (const { object, property, type, value, time: at } of valuesOf(sink, settings, rule, row, time)) {
          const series = values.series.register({ namespace, object, property, type });
          builder.add(series, at, value, Quality.good);
          if (builder.isFull) publish();
        }
      }
      publish();
    },
    status: () => ({ rows: count }),
    dropped: () => 0,
    close: async () => {},
  };
}
