/** Which of an index's images this machine runs. */
import type { ImageIndex, Platform, PlatformDescriptor } from './contract.ts';
import { imageErrors } from './errors.ts';

/** What Node calls the machine, and what images call it. */
const ARCHITECTURES: Readonly<Record<string, Platform>> = {
  x64: { os: 'linux', architecture: 'amd64' },
  arm64: { os: 'linux', architecture: 'arm64', variant: 'v8' },
  arm: { os: 'linux', architecture: 'arm', variant: 'v7' },
  ia32: { os: 'linux', architecture: '386' },
  ppc64: { os: 'linux', architecture: 'ppc64le' },
};

/** `arch` as `process.arch` says it. */
export function platformOf(arch: string): Platform {
  return ARCHITECTURES[arch] ?? { os: 'linux', architecture: arch };
}

/** `linux/arm64/v8`. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join('/');
}

/** The best for `wanted`: the newest variant that it can run. Throws NO_PLATFORM. */
export function selectPlatform(index: ImageIndex, wanted: Platform, image: string): PlatformDescriptor {
  const [best] = index.manifests
    .map((manifest) => ({ manifest, rank: rankOf(manifest, wanted) }))
    .filter(({ rank }) => rank >= 0)
    .sort((one, other) => other.rank - one.rank);
  if (best !== undefined) return best.manifest;
  const offered = [...new Set(index.manifests.map(({ platform }) => (platform ? formatPlatform(platform) : '')))];
  throw imageErrors.NO_PLATFORM({
    image,
    platform: formatPlatform(wanted),
    offered: offered.filter(isShown).slice(0, MAX_SHOWN).join(', ') || 'nothing',
  });
}

const MAX_SHOWN = 8;

/** Attestations lie in an index under the platform `unknown/unknown`. */
function isShown(platform: string): boolean {
  return platform !== '' && !platform.startsWith('unknown/');
}

/** Below 0: cannot run here. */
function rankOf({ platform }: PlatformDescriptor, wanted: Platform): number {
  // An image that does not say what it is for is taken at its word only when nothing better is there.
  if (platform === undefined) return 0;
  if (platform.os !== wanted.os || platform.architecture !== wanted.architecture) return -1;
  const [offered, able] = [generationOf(platform), generationOf(wanted)];
  return offered > able ? -1 : 1 + offered;
}

/** `v7` is 7; each architecture has its own generation where none is named. */
function generationOf({ architecture, variant }: Platform): number {
  const named = /^v(\d{1,2})$/.exec(variant ?? '')?.[1];
  if (named !== undefined) return Number(named);
  if (architecture === 'arm64') return 8;
  if (architecture === 'arm') return 7;
  return architecture === 'amd64' ? 1 : 0;
}
