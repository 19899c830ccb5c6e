/** What the registry must know of a manifest that is pushed to it. Pure. */
import {
  type Digest,
  digestOf,
  MANIFEST_TYPES,
  MAX_MANIFEST_BYTES,
  parseDigest,
  parseManifest,
} from '../images/index.ts';
import type { ManifestRow, Part } from './catalog.ts';
import { refusals } from './refusal.ts';

export interface ManifestFacts extends Omit<ManifestRow, 'repository'> {
  readonly parts: readonly Part[];
}

type Fields = Readonly<Record<string, unknown>>;

/** Annotations come back in every list of referrers. */
const MAX_ANNOTATION_BYTES = 64 * 1024;
/** Layers that are licensed to be had from their makers only. */
const FOREIGN = /foreign|nondistributable/;

/** `contentType` as the client sent it. Throws MANIFEST_INVALID. */
export function manifestFacts(bytes: Uint8Array, contentType: string | undefined): ManifestFacts {
  const fields = fieldsOf(bytes);
  const mediaType = mediaTypeOf(fields, contentType);
  const annotations = annotationsOf(fields['annotations']);
  const artifactType =
    textOf(fields['artifactType']) ?? textOf((fields['config'] as Fields | undefined)?.['mediaType']);
  const subject = subjectOf(fields['subject']);
  return {
    digest: digestOf(bytes),
    mediaType,
    size: bytes.length,
    parts: partsOf(bytes),
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(subject === undefined ? {} : { subject }),
    ...(annotations === undefined ? {} : { annotations }),
  };
}

function fieldsOf(bytes: Uint8Array): Fields {
  if (bytes.length > MAX_MANIFEST_BYTES) throw refusals.tooLarge(MAX_MANIFEST_BYTES);
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  } catch {
    // Said below.
  }
  throw refusals.manifestInvalid('it is not a JSON object');
}

function mediaTypeOf(fields: Fields, contentType: string | undefined): string {
  const named = textOf(fields['mediaType']);
  const sent = contentType?.split(';')[0]?.trim();
  const mediaType = named ?? sent;
  if (named !== undefined && sent !== undefined && named !== sent) {
    throw refusals.manifestInvalid(`it says that it is ${named}, but was sent as ${sent}`);
  }
  if (mediaType === undefined || !MANIFEST_TYPES.includes(mediaType)) {
    throw refusals.manifestInvalid(`manifests of type ${(mediaType ?? 'unknown').slice(0, 100)} are not taken`);
  }
  return mediaType;
}

function partsOf(bytes: Uint8Array): readonly Part[] {
  const manifest = parsed(bytes);
  if (manifest.kind === 'index') return manifest.manifests.map(({ digest }) => ({ digest, kind: 'manifest' }));
  const layers = manifest.layers.filter(({ mediaType }) => !FOREIGN.test(mediaType));
  return [manifest.config, ...layers].map(({ digest }) => ({ digest, kind: 'blob' }));
}

function parsed(bytes: Uint8Array): ReturnType<typeof parseManifest> {
  try {
    return parseManifest(bytes, 'the manifest');
  } catch (error) {
    throw refusals.manifestInvalid(error instanceof Error ? error.message : 'it is not valid');
  }
}

function subjectOf(value: unknown): Digest | undefined {
  if (value === undefined || value === null) return undefined;
  const digest = parseDigest((value as Fields)['digest']);
  if (digest === undefined) throw refusals.manifestInvalid('its subject has no sha256 digest');
  return digest;
}

function annotationsOf(value: unknown): Readonly<Record<string, string>> | undefined {
  if (value === undefined || value === null) return undefined;
  const isMap = typeof value === 'object' && !Array.isArray(value);
  if (!isMap || !Object.values(value).every((each) => typeof each === 'string')) {
    throw refusals.manifestInvalid('its annotations are not texts by name');
  }
  if (JSON.stringify(value).length > MAX_ANNOTATION_BYTES)
    throw refusals.manifestInvalid('its annotations are too long');
  return value as Record<string, string>;
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
