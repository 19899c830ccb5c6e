/** Results as values of a device, through the door that all writes go through. */
import { plain } from '../../engine/rule/run-test.ts';
import type { DeviceSink } from '../../kinds/rule.ts';
import type { Row } from '../../sql/index.ts';
import { fieldsOf, fillIn } from './format-row.ts';
import { queuedSink } from './queue.ts';
import type { Sink, SinkContext } from './sink.ts';

/** The device has said no; asking again would be another wish. */
class WriteRefused extends Error {
  override readonly name = 'WriteRefused';
}

export function deviceSink(context: SinkContext): Sink {
  const { sink, namespace, rule, values } = context;
  const settings = sink.device ?? { device: '' };
  return queuedSink(context, {
    isOneByOne: true,
    send: async (rows, signal) => {
      for (const row of rows) {
        const device = fillIn(settings.device, row);
        const wanted = valuesFor(settings, fieldsOf(sink, row));
        const refused = await values.write({ namespace, device, by: `rule/${rule}`, values: wanted }, signal);
        const [first] = Object.entries(refused);
        if (first !== undefined) throw new WriteRefused(`${device} did not take ${first[0]}: ${first[1]}`);
      }
    },
    isFinal: (error) => error instanceof WriteRefused,
  });
}

function valuesFor({ values }: DeviceSink, row: Row): Readonly<Record<string, unknown>> {
  const pairs = values === undefined ? Object.keys(row).map((name) => [name, name] as const) : Object.entries(values);
  return Object.fromEntries(
    pairs.flatMap(([property, field]) => {
      const value = row[field];
      return value === undefined || value === null ? [] : [[property, plain(value)]];
    }),
  );
}
