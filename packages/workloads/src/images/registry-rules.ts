/** What ImageRegistry objects say about each registry, in the terms of those who fetch. Pure. */
import { quantityToNumber } from '@skerry/api/quantity';
import type { ImageMirror, ImageRegistry } from '../image-kinds/index.ts';
import type { Way } from './over-link/chosen-source.ts';
import { canonicalRegistry } from './reference.ts';
import type { RegistryAccess, RegistrySettings } from './registry/access.ts';

export interface RegistryRules {
  /** For those who fetch directly: registries and mirrors by their host. */
  readonly settings: RegistrySettings;
  wayOf(registry: string): Way;
  /** Bytes a second that one node may take of a registry; undefined: as many as come. */
  rateOf(registry: string): number | undefined;
}

/** Of objects that name the same host, the first by name counts. */
export function rulesOf(objects: readonly ImageRegistry[]): RegistryRules {
  const byHost = new Map<string, ImageRegistry['spec']>();
  for (const { spec } of objects.toSorted(byName)) {
    const host = canonicalRegistry(spec.host) ?? spec.host;
    if (!byHost.has(host)) byHost.set(host, spec);
  }
  const mirrors = [...byHost.values()].flatMap(({ mirrors: listed = [] }) => listed.map(mirrorEntry));
  const hosts = [...byHost].map(([host, spec]) => [host, accessOf(spec)] as const);
  return {
    // What is said about a host itself counts more than what is said about it as a mirror.
    settings: Object.fromEntries([...mirrors, ...hosts]),
    wayOf: (registry) => byHost.get(registry)?.pull ?? 'Auto',
    rateOf: (registry) => rateOf(byHost.get(registry)?.maxBytesPerSecond),
  };
}

function accessOf({ mirrors = [], ...own }: ImageRegistry['spec']): RegistryAccess {
  return { ...trustOf(own), ...(mirrors.length === 0 ? {} : { mirrors: mirrors.map(({ url }) => url) }) };
}

function mirrorEntry(mirror: ImageMirror): readonly [host: string, access: RegistryAccess] {
  return [new URL(mirror.url).host, trustOf(mirror)];
}

function trustOf({ caBundle, plainHTTP }: Pick<ImageMirror, 'caBundle' | 'plainHTTP'>): RegistryAccess {
  return {
    ...(caBundle === undefined ? {} : { ca: Buffer.from(caBundle, 'base64').toString() }),
    ...(plainHTTP === undefined ? {} : { plainHttp: plainHTTP }),
  };
}

function rateOf(quantity: string | number | undefined): number | undefined {
  const rate = quantityToNumber(quantity);
  // A rate of nothing would hold up a pull for ever, without a word.
  return rate > 0 ? rate : undefined;
}

function byName(one: ImageRegistry, other: ImageRegistry): number {
  return (one.metadata.name ?? '').localeCompare(other.metadata.name ?? '', 'en');
}
