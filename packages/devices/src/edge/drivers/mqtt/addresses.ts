/** What a visitor says, made ready: templates filled, defaults of the connection applied. Pure. */
import type { DeviceSettings, Point } from '../../driver.ts';
import type { Qos } from './link.ts';
import type { Format } from './payload.ts';

export interface ReadAddress {
  readonly filter: string;
  readonly format: Format;
  readonly path: string | undefined;
  readonly timePath: string | undefined;
}

export interface WriteAddress {
  readonly topic: string;
  readonly format: Format;
  readonly path: string | undefined;
  readonly qos: Qos;
  readonly isRetained: boolean;
  readonly confirmTopic: string | undefined;
}

type Named = Pick<DeviceSettings, 'namespace' | 'name' | 'options'>;

/** Undefined when there is no topic. */
export function readAddress({ address, property }: Point, device: Named): ReadAddress | undefined {
  const topic = address['topic'] ?? device.options['topic'];
  if (typeof topic !== 'string') return undefined;
  return {
    filter: filled(topic, device, property),
    format: (address['format'] ?? device.options['format'] ?? 'Json') as Format,
    path: address['path'] as string | undefined,
    timePath: address['timePath'] as string | undefined,
  };
}

/** Undefined when it is not to be written, or when it is read by a filter and no topic to write to is given. */
export function writeAddress(point: Point, device: Named): WriteAddress | undefined {
  const { write } = point.address as { readonly write?: Readonly<Record<string, unknown>> };
  if (write === undefined) return undefined;
  const read = readAddress(point, device);
  const { topic, confirmTopic } = write;
  const to = typeof topic === 'string' ? filled(topic, device, point.property) : read?.filter;
  if (to === undefined || /[+#]/.test(to)) return undefined;
  return {
    topic: to,
    format: (write['format'] ?? read?.format ?? 'Json') as Format,
    path: write['path'] as string | undefined,
    qos: (write['qos'] ?? device.options['qos'] ?? 1) as Qos,
    isRetained: write['retain'] === true,
    confirmTopic: typeof confirmTopic === 'string' ? filled(confirmTopic, device, point.property) : undefined,
  };
}

function filled(template: string, { namespace, name }: Named, property: string): string {
  return template
    .replaceAll('{namespace}', () => namespace)
    .replaceAll('{device}', () => name)
    .replaceAll('{property}', () => property);
}
