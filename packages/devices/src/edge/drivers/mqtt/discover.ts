/** Topics that are seen, put together as devices: what stands before the last level is one. */
import { parseDuration } from '@skerry/api/durations';
import type { BrowseEntry, DiscoveryRequest, DriverContext, FoundDevice } from '../../driver.ts';
import type { OpenLink } from './session.ts';

/** So many topics are remembered. */
const MAX_TOPICS = 10_000;

export async function* discoverTopics(
  { settings, scan, limit }: DiscoveryRequest,
  { clock, signal }: DriverContext,
  open: OpenLink,
): AsyncGenerator<FoundDevice> {
  const topics = new Map<string, Uint8Array>();
  const link = await open((topic, payload) => {
    if (topics.size < MAX_TOPICS || topics.has(topic)) topics.set(topic, payload);
  });
  try {
    await link.subscribe([String(scan['filter'] ?? '#')], 0);
    const over = clock.sleep(parseDuration(String(scan['duration'] ?? '10s')) ?? 10_000, signal).catch(() => {});
    await Promise.race([over, link.ended]);
  } finally {
    await link.close();
  }
  const { endpoint, options } = settings;
  yield* devicesIn(topics, endpoint, options).slice(0, limit);
}

/** Pure. */
function devicesIn(
  topics: ReadonlyMap<string, Uint8Array>,
  endpoint: string,
  options: Readonly<Record<string, unknown>>,
): readonly FoundDevice[] {
  const shown = [...topics].filter(([topic]) => !topic.startsWith('$') && !topic.startsWith('spBv1.0/'));
  const byParent = Map.groupBy(shown, ([topic]) => topic.split('/').slice(0, -1).join('/'));
  return [...byParent].map(([parent, entries]) => ({
    fingerprint: `mqtt ${endpoint} ${parent}`,
    name: parent === '' ? 'topics' : parent,
    description: `${entries.length} topics below ${parent === '' ? 'the top' : parent}`,
    endpoint,
    options,
    variables: entries.flatMap(([topic, payload]) => variablesOf(topic, payload)),
  }));
}

function variablesOf(topic: string, payload: Uint8Array): readonly BrowseEntry[] {
  const name = topic.split('/').at(-1) ?? topic;
  const parsed = jsonIn(payload);
  if (parsed === undefined) return [{ address: { topic, format: 'Text' }, name, kind: 'Variable', type: 'string' }];
  if (typeof parsed !== 'object' || parsed === null)
    return [{ address: { topic, format: 'Json' }, name, kind: 'Variable', type: typeOf(parsed) }];
  return Object.entries(parsed).flatMap(([path, value]) =>
    typeof value === 'object'
      ? []
      : [
          {
            address: { topic, format: 'Json', path },
            name: `${name}_${path}`,
            kind: 'Variable' as const,
            type: typeOf(value),
          },
        ],
  );
}

function jsonIn(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload)) as unknown;
  } catch {
    return undefined;
  }
}

function typeOf(value: unknown): string {
  if (typeof value === 'boolean') return 'bool';
  return typeof value === 'number' ? 'float64' : 'string';
}
