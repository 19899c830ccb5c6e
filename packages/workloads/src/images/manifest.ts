/** Indexes, manifests and configs of images, OCI's and Docker's, taken in from anybody: everything is bounded and checked here. */
import type { Descriptor, ImageIndex, ImageManifest, Platform, PlatformDescriptor } from './contract.ts';
import { parseDigest } from './digest.ts';
import { imageErrors } from './errors.ts';

/** Registries refuse larger ones as well. */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
export const MAX_CONFIG_BYTES = 4 * 1024 * 1024;
/** More than any tool can make, and than overlayfs could mount. */
const MAX_LAYERS = 500;
const MAX_PLATFORMS = 1000;
/** 64 GiB, for all layers together as they are sent. */
const MAX_IMAGE_BYTES = 64 * 1024 ** 3;

export const MediaType = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
} as const;

/** What a client says it understands. */
export const MANIFEST_TYPES: readonly string[] = [
  MediaType.index,
  MediaType.dockerIndex,
  MediaType.manifest,
  MediaType.dockerManifest,
];

type Fields = Readonly<Record<string, unknown>>;

/** Either kind; `what` names it in errors. Throws INVALID_MANIFEST. */
export function parseManifest(bytes: Uint8Array, what: string): ImageIndex | ImageManifest {
  const fields = parseObject(bytes, what);
  const fail = (problem: string) => imageErrors.INVALID_MANIFEST({ what, problem });
  if (fields['schemaVersion'] !== 2) throw fail('its schemaVersion is not 2');
  if (Array.isArray(fields['manifests'])) return indexOf(fields['manifests'], fail);
  if (!Array.isArray(fields['layers'])) throw fail('it has neither manifests nor layers');
  return manifestOf(fields['config'], fields['layers'], fail);
}

/** What a manifest says it is itself, for registries that do not; undefined for what is none. */
export function mediaTypeOf(bytes: Uint8Array): string | undefined {
  try {
    const { kind } = parseManifest(bytes, '');
    const named = textOf(parseObject(bytes, '')['mediaType']) ?? MediaType[kind];
    return MANIFEST_TYPES.includes(named) ? named : undefined;
  } catch {
    // Said by the caller, who knows where it came from.
    return undefined;
  }
}

/** What the image says about running it: the part of its config that matters here. */
export interface ImageConfig {
  readonly platform: Platform;
  /** Hashes of the layers as plain tar, the base first. */
  readonly diffIds: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  /** `NAME=value`. */
  readonly env: readonly string[];
  readonly workingDir?: string;
  /** `name`, `uid`, `name:group`, `uid:gid`. */
  readonly user?: string;
  readonly stopSignal?: string;
  readonly volumes: readonly string[];
}

/** Throws INVALID_MANIFEST. */
export function parseConfig(bytes: Uint8Array, what: string): ImageConfig {
  const fields = parseObject(bytes, what);
  const fail = (problem: string) => imageErrors.INVALID_MANIFEST({ what, problem });
  const strings = (value: unknown, name: string): readonly string[] => {
    if (value === undefined || value === null) return [];
    if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
    throw fail(`its ${name} is not a list of strings`);
  };
  const run = fieldsOf(fields['config']) ?? {};
  const [workingDir, user, stopSignal] = [run['WorkingDir'], run['User'], run['StopSignal']].map(textOf);
  return {
    platform: platformIn(fields),
    diffIds: strings(fieldsOf(fields['rootfs'])?.['diff_ids'], 'rootfs.diff_ids'),
    entrypoint: strings(run['Entrypoint'], 'Entrypoint'),
    cmd: strings(run['Cmd'], 'Cmd'),
    env: strings(run['Env'], 'Env'),
    volumes: Object.keys(fieldsOf(run['Volumes']) ?? {}),
    ...(workingDir === undefined ? {} : { workingDir }),
    ...(user === undefined ? {} : { user }),
    ...(stopSignal === undefined ? {} : { stopSignal }),
  };
}

function indexOf(manifests: readonly unknown[], fail: (problem: string) => Error): ImageIndex {
  if (manifests.length > MAX_PLATFORMS) throw fail(`it lists more than ${MAX_PLATFORMS} manifests`);
  return { kind: 'index', manifests: manifests.map((one) => platformDescriptorOf(one, fail)) };
}

function manifestOf(config: unknown, layers: readonly unknown[], fail: (problem: string) => Error): ImageManifest {
  if (layers.length > MAX_LAYERS) throw fail(`it has more than ${MAX_LAYERS} layers`);
  const manifest: ImageManifest = {
    kind: 'manifest',
    config: descriptorOf(config, fail),
    layers: layers.map((one) => descriptorOf(one, fail)),
  };
  if (manifest.config.size > MAX_CONFIG_BYTES) throw fail(`its config exceeds ${MAX_CONFIG_BYTES} bytes`);
  const total = manifest.layers.reduce((sum, { size }) => sum + size, 0);
  if (total > MAX_IMAGE_BYTES) throw fail(`its layers exceed ${MAX_IMAGE_BYTES} bytes`);
  return manifest;
}

function platformDescriptorOf(value: unknown, fail: (problem: string) => Error): PlatformDescriptor {
  const platform = fieldsOf(fieldsOf(value)?.['platform']);
  const descriptor = descriptorOf(value, fail);
  return platform === undefined ? descriptor : { ...descriptor, platform: platformIn(platform) };
}

function descriptorOf(value: unknown, fail: (problem: string) => Error): Descriptor {
  const fields = fieldsOf(value) ?? {};
  const digest = parseDigest(fields['digest']);
  const { size, mediaType } = fields;
  if (digest === undefined) throw fail('a digest in it is not a sha256 digest');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw fail(`the size of ${digest} is none`);
  if (typeof mediaType !== 'string') throw fail(`${digest} has no media type`);
  return { mediaType, digest, size };
}

function platformIn(fields: Fields): Platform {
  const [os, architecture, variant] = [fields['os'], fields['architecture'], fields['variant']].map(textOf);
  return {
    os: os ?? 'unknown',
    architecture: architecture ?? 'unknown',
    ...(variant === undefined ? {} : { variant }),
  };
}

function parseObject(bytes: Uint8Array, what: string): Fields {
  const problem = 'it is not a JSON object';
  try {
    const fields = fieldsOf(JSON.parse(new TextDecoder().decode(bytes)));
    if (fields !== undefined) return fields;
  } catch (cause) {
    throw imageErrors.INVALID_MANIFEST({ what, problem }, { cause });
  }
  throw imageErrors.INVALID_MANIFEST({ what, problem });
}

function fieldsOf(value: unknown): Fields | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : undefined;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
