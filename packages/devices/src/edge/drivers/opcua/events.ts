/** Events of a server, in the fields that the model has. */
import {
  AttributeIds,
  constructEventFilter,
  type MonitoringParametersOptions,
  ofType,
  type Variant,
} from 'node-opcua-client';
import type { RawValue } from '../../../values/encoding.ts';
import type { EventPoint, EventSink } from '../../driver.ts';
import { errorOfStatus, isBadStatus } from './status.ts';
import { rawOf } from './values.ts';
import { monitor, openSubscription, type WatchOptions } from './watching.ts';

/** Asked for with every event, before what the model wants. */
const ALWAYS = ['Time', 'Severity'];

/** Events that the server keeps between two reports. */
const QUEUE_SIZE = 1000;

export async function listen(events: readonly EventPoint[], sink: EventSink, options: WatchOptions): Promise<void> {
  const { link, namespaces, signal } = options;
  const subscription = await openSubscription(options);
  for (const [index, event] of events.entries()) {
    const { notifier = 'i=2253', eventType = 'i=2041', minimumSeverity = 0 } = event.address;
    const item = { nodeId: namespaces.nodeId(String(notifier)), attributeId: AttributeIds.EventNotifier };
    const filter = constructEventFilter([...ALWAYS, ...pathsOf(event)], ofType(namespaces.nodeId(String(eventType))));
    const parameters: MonitoringParametersOptions = {
      samplingInterval: 0,
      queueSize: QUEUE_SIZE,
      discardOldest: true,
      filter,
    };
    const onChange = (values: unknown) => {
      const [time, severity, ...rest] = (values as readonly Variant[]).map(rawOf);
      if (Number(severity ?? 0) < Number(minimumSeverity)) return;
      sink.event(index, named(event, rest), typeof time === 'number' ? time : undefined);
    };
    const [code] = await link.ask(signal, () => monitor(subscription, { items: [item], parameters, onChange }));
    if (code !== undefined && isBadStatus(code)) throw errorOfStatus(`event ${event.event}`, code);
  }
}

function pathsOf({ address, fields }: EventPoint): readonly string[] {
  const paths = (address['fields'] ?? {}) as Readonly<Record<string, string>>;
  return fields.map(({ name }) => {
    const path = Object.hasOwn(paths, name) ? paths[name] : undefined;
    // Names of the standard begin with a capital letter, those of properties often do not.
    return path?.replaceAll('/', '.') ?? name.charAt(0).toUpperCase() + name.slice(1);
  });
}

function named({ fields }: EventPoint, values: readonly (RawValue | undefined)[]): Readonly<Record<string, RawValue>> {
  return Object.fromEntries(
    fields.flatMap(({ name }, at) => {
      const value = values[at];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}
