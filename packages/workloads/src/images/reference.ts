/** Names of images, the only place that takes them apart. */
import type { ImageReference } from './contract.ts';
import { parseDigest } from './digest.ts';
import { imageErrors } from './errors.ts';

export const DOCKER_HUB = 'docker.io';
const DEFAULT_TAG = 'latest';
/** As the distribution specification and every known registry bound it. */
const MAX_NAME_LENGTH = 255;
const REGISTRY = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/;
const PATH_PART = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

/** Throws INVALID_REFERENCE. `web`, `web:1`, `host:5000/team/web@sha256:…` */
export function parseReference(name: string): ImageReference {
  const fail = (problem: string) => imageErrors.INVALID_REFERENCE({ name: name.slice(0, MAX_NAME_LENGTH), problem });
  if (name === '') throw fail('it is empty');
  const [named = '', hash, ...more] = name.split('@');
  const digest = hash === undefined ? undefined : parseDigest(hash);
  if (more.length > 0 || (hash !== undefined && digest === undefined)) throw fail('behind @ belongs a sha256 digest');
  const { path, tag } = splitTag(named);
  if (tag !== undefined && !TAG.test(tag)) throw fail('its tag has characters that tags cannot have');
  const { registry: written, repository } = splitRegistry(path);
  const registry = canonicalRegistry(written);
  if (registry === undefined) throw fail(`"${written}" is not the name of a registry`);
  if (registry.length + repository.length > MAX_NAME_LENGTH) throw fail(`it has more than ${MAX_NAME_LENGTH} letters`);
  if (!repository.split('/').every((part) => PATH_PART.test(part))) {
    throw fail('it consists of lower-case letters and digits, with . _ - between them');
  }
  if (digest !== undefined) return { registry, repository, ...(tag === undefined ? {} : { tag }), digest };
  return { registry, repository, tag: tag ?? DEFAULT_TAG };
}

/** The full name, which parses to the same reference. */
export function formatReference({ registry, repository, tag, digest }: ImageReference): string {
  return `${registry}/${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** The name without tag and digest: `docker.io/library/web`. */
export function repositoryName({ registry, repository }: ImageReference): string {
  return `${registry}/${repository}`;
}

/** One spelling for each host, as whoever connects to it understands it: `0x7f.1:5000` is `127.0.0.1:5000`. */
export function canonicalRegistry(written: string): string | undefined {
  if (!REGISTRY.test(written)) return undefined;
  const { hostname } = URL.parse(`https://${written}`) ?? {};
  const port = /:(\d+)$/.exec(written)?.[1];
  return hostname === undefined || port === undefined ? hostname : `${hostname}:${Number(port)}`;
}

/** A colon after the last slash; one before it belongs to a port. */
function splitTag(named: string): { readonly path: string; readonly tag?: string } {
  const at = named.indexOf(':', named.lastIndexOf('/') + 1);
  return at < 0 ? { path: named } : { path: named.slice(0, at), tag: named.slice(at + 1) };
}

/** The first part is a registry when it looks like a host; else the image is one of Docker Hub's. */
function splitRegistry(path: string): { readonly registry: string; readonly repository: string } {
  const slash = path.indexOf('/');
  const first = path.slice(0, Math.max(0, slash));
  const isHost = first === 'localhost' || /[.:[]/.test(first) || first !== first.toLowerCase();
  const [registry, repository] = isHost ? [first, path.slice(slash + 1)] : [DOCKER_HUB, path];
  if (registry !== DOCKER_HUB && registry !== 'index.docker.io') return { registry, repository };
  return { registry: DOCKER_HUB, repository: repository.includes('/') ? repository : `library/${repository}` };
}
