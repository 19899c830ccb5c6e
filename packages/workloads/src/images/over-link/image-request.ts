/** What an edge asks the cloud for about images, and how a refusal travels back. Pure. */
import { hasCode } from '@skerry/base';
import type { Descriptor, Digest, ImageReference, RegistryCredentials } from '../contract.ts';
import { parseDigest } from '../digest.ts';
import { imageErrors } from '../errors.ts';
import { formatReference, parseReference } from '../reference.ts';

/** In errors: where the way itself failed, and nothing beyond it. */
export const THE_CLOUD = 'the cloud';

export type ImageRequest = (
  | { readonly kind: 'resolve' }
  | { readonly kind: 'manifest' | 'blob'; readonly wanted: Descriptor }
) & {
  readonly image: ImageReference;
  /** What the node's pods bring; the cloud shows them to the image's registry and keeps them no longer than that. */
  readonly credentials?: RegistryCredentials;
};

export function encodeRequest(request: ImageRequest): Uint8Array {
  return Buffer.from(JSON.stringify({ ...request, image: formatReference(request.image) }));
}

/** Throws for what no edge of ours sends. */
export function decodeRequest(bytes: Uint8Array): ImageRequest {
  const value = objectOf(JSON.parse(Buffer.from(bytes).toString()));
  if (typeof value['image'] !== 'string') throw new TypeError('the request names no image');
  const image = parseReference(value['image']);
  const credentials = value['credentials'] === undefined ? {} : { credentials: credentialsOf(value['credentials']) };
  const { kind } = value;
  if (kind === 'resolve') return { kind, image, ...credentials };
  if (kind !== 'manifest' && kind !== 'blob') throw new TypeError('this cloud does not know such a request for images');
  return { kind, image, wanted: descriptorOf(value['wanted']), ...credentials };
}

export function encodeDescriptor(descriptor: Descriptor): Uint8Array {
  const { mediaType, digest, size } = descriptor;
  return Buffer.from(JSON.stringify({ mediaType, digest, size }));
}

export function decodeDescriptor(bytes: Uint8Array): Descriptor {
  return descriptorOf(JSON.parse(Buffer.from(bytes).toString()));
}

function descriptorOf(value: unknown): Descriptor {
  const { mediaType, digest, size } = objectOf(value);
  const parsed: Digest | undefined = parseDigest(String(digest));
  if (typeof mediaType !== 'string' || parsed === undefined || !Number.isSafeInteger(size) || Number(size) < 0) {
    throw new TypeError('this is no description of content');
  }
  return { mediaType, digest: parsed, size: Number(size) };
}

const CREDENTIAL_FIELDS = ['username', 'password', 'identityToken', 'registryToken'] as const;

function credentialsOf(value: unknown): RegistryCredentials {
  const given = objectOf(value);
  const texts = CREDENTIAL_FIELDS.flatMap((field) => (typeof given[field] === 'string' ? [[field, given[field]]] : []));
  return { username: '', password: '', ...Object.fromEntries(texts) };
}

type ImageErrorName = keyof typeof imageErrors;

/** An error of images as text, so that the edge throws the same one. Of others nothing is told. */
export function encodeRefusal(error: unknown, what: string): string {
  const name = hasCode(error) ? nameOf(error.code) : undefined;
  if (name !== undefined && hasCode(error)) return JSON.stringify({ name, facts: error.facts });
  const facts = { where: THE_CLOUD, what, problem: 'it failed; its log says why' };
  return JSON.stringify({ name: 'UNAVAILABLE', facts });
}

export function decodeRefusal(text: string, cause: unknown): Error {
  const { name, facts } = refusalIn(text);
  const { where, ...others } = facts;
  const told =
    where === undefined || where === THE_CLOUD ? facts : { ...others, where: `${where}, by way of the cloud,` };
  return imageErrors[name](told, { cause });
}

function refusalIn(text: string): { readonly name: ImageErrorName; readonly facts: Record<string, string | number> } {
  try {
    const { name, facts } = objectOf(JSON.parse(text));
    const known = nameOf(`IMAGE_${String(name)}`);
    const told = Object.entries(objectOf(facts)).filter(
      (entry): entry is [string, string | number] => typeof entry[1] === 'string' || typeof entry[1] === 'number',
    );
    if (known !== undefined) return { name: known, facts: Object.fromEntries(told) };
  } catch {
    // A hub without images says so in words of its own.
  }
  return { name: 'UNAVAILABLE', facts: { where: THE_CLOUD, what: 'images', problem: text } };
}

function nameOf(code: string): ImageErrorName | undefined {
  const name = code.replace(/^IMAGE_/, '');
  return code.startsWith('IMAGE_') && Object.hasOwn(imageErrors, name) ? (name as ImageErrorName) : undefined;
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  throw new TypeError('an object was expected');
}
