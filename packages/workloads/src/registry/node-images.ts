/** What a node may have of images, and where the cloud takes it from: its own registry, or others by way of its store. */
import type { Attributes } from '@skerry/api';
import type { Clock, Logger } from '@skerry/base';
import { importedName } from '../images/archive/imported-name.ts';
import type {
  BlobFetchOptions,
  Descriptor,
  Digest,
  FetchOptions,
  ImageReference,
  ImageSource,
} from '../images/index.ts';
import { formatReference, imageErrors, MAX_MANIFEST_BYTES, parseReference } from '../images/index.ts';
import { isOfMachine } from '../images/registry/access.ts';
import type { NodeImages } from './contract.ts';
import { IMAGES, placeOf, type RegistryAccess } from './door.ts';
import { keptName, PullThrough } from './pull-through.ts';
import { Refusal } from './refusal.ts';
import type { Registry } from './registry.ts';

/** An image that something at a node names. */
export interface NamedImage {
  readonly namespace: string;
  readonly image: string;
}

export interface NodeImagesOptions {
  readonly open: () => Promise<Registry>;
  /** The registries of the world, as the ImageRegistry objects say how they are reached. */
  readonly source: ImageSource;
  /** Hosts that an ImageRegistry names: only these are asked when they are the cloud's own machine. */
  readonly isNamed: (registry: string) => boolean;
  /** What pods and image pulls bound to the node name. */
  readonly namedAt: (node: string) => Iterable<NamedImage>;
  /** Under what names our own registry is known. */
  readonly addresses: ReadonlySet<string>;
  /** Where its content is another registry's: that one, which is reached by our addresses and by no name of its own. */
  readonly behind?: ImageSource;
  readonly access: RegistryAccess;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** What images of a node led to lately: what belongs to an older one may still be on its way. */
const MAX_ROOTS = 8;
const MAX_REMEMBERED = 10_000;
const THE_CLOUD = 'the cloud';

export function createNodeImages(given: NodeImagesOptions): NodeImages {
  const options = { ...given, source: sourceBy(given) };
  const roots = new Roots();
  let through: Promise<PullThrough> | undefined;
  const open = async (): Promise<Opened> => {
    const registry = await options.open();
    through ??= Promise.resolve(new PullThrough({ ...options, registry }));
    return { registry, through: await through };
  };
  return { sourceFor: (node) => new NodeSource({ ...options, node, roots, opened: open }) };
}

/** What stands behind our own door is apart from what others name. */
function sourceBy({ addresses, behind, source }: NodeImagesOptions): ImageSource {
  if (behind === undefined) return source;
  const of = ({ registry }: ImageReference) => (addresses.has(registry) ? behind : source);
  return {
    resolve: (image, options) => of(image).resolve(image, options),
    manifest: (image, wanted, options) => of(image).manifest(image, wanted, options),
    blob: (image, wanted, options) => of(image).blob(image, wanted, options),
  };
}

interface Opened {
  readonly registry: Registry;
  readonly through: PullThrough;
}

interface Found {
  readonly source: ImageSource;
  /** As the catalog calls it. */
  readonly repository: string;
}

interface NodeSourceOptions extends NodeImagesOptions {
  readonly node: string;
  readonly roots: Roots;
  readonly opened: () => Promise<Opened>;
}

class NodeSource implements ImageSource {
  readonly #options: NodeSourceOptions;

  constructor(options: NodeSourceOptions) {
    this.#options = options;
  }

  async resolve(image: ImageReference, options: FetchOptions = {}): Promise<Descriptor> {
    const { source } = await this.#find(image, options);
    const found = await source.resolve(image, options);
    this.#options.roots.add(this.#key(image), found.digest);
    return found;
  }

  async manifest(image: ImageReference, wanted: Descriptor, options: FetchOptions = {}): Promise<Uint8Array> {
    const { source, repository } = await this.#find(image, options);
    await this.#checkPart(image, repository, wanted);
    const bytes = await source.manifest(image, wanted, options);
    const [newest] = this.#options.roots.of(this.#key(image));
    if (newest === wanted.digest) (await this.#options.opened()).through.remember(image, wanted.digest);
    return bytes;
  }

  async *blob(image: ImageReference, wanted: Descriptor, options: BlobFetchOptions = {}): AsyncGenerator<Uint8Array> {
    const { source, repository } = await this.#find(image, options);
    await this.#checkPart(image, repository, wanted);
    yield* source.blob(image, wanted, options);
  }

  /** Refuses whatever nothing at the node names, and what its namespaces and credentials do not open. */
  async #find(image: ImageReference, { credentials }: FetchOptions): Promise<Found> {
    const { addresses, access, node, behind, opened, isNamed } = this.#options;
    const namespaces = this.#namespacesOf(image);
    if (namespaces.size === 0) throw refused(image, `nothing at the node ${node} names it`);
    const { registry, through } = await opened();
    if (!addresses.has(image.registry)) {
      const imported = importedName(image);
      if (behind === undefined && holds(registry, imported, image))
        return { source: keptSource(registry, imported), repository: imported };
      // What a pod's author names must not lead the cloud to its own machine.
      if (isOfMachine(image.registry.replace(/:\d+$/, '')) && !isNamed(image.registry)) {
        throw imageErrors.UNREACHABLE({
          where: `registry ${image.registry}`,
          problem: 'the cloud asks an address of a machine only where an ImageRegistry names it',
        });
      }
      return { source: through, repository: keptName(image) };
    }
    const { namespace } = placeOf(access, image.repository);
    const isOpen = namespace === undefined || namespaces.has(namespace);
    if (!isOpen && !(await mayGet(access, image, credentials?.password))) {
      throw refused(image, 'it is of another namespace, and no pull secret opens it');
    }
    if (behind !== undefined) return { source: withoutCredentials(through), repository: keptName(image) };
    return { source: keptSource(registry, image.repository), repository: image.repository };
  }

  #namespacesOf(image: ImageReference): ReadonlySet<string> {
    const { namedAt, node } = this.#options;
    const wanted = formatReference(image);
    const named = [...namedAt(node)].filter((each) => isSame(each.image, wanted));
    return new Set(named.map(({ namespace }) => namespace));
  }

  async #checkPart(image: ImageReference, repository: string, { digest }: Descriptor): Promise<void> {
    const { roots, opened } = this.#options;
    const { catalog } = (await opened()).registry;
    const tagged = image.digest ?? catalog.tag(repository, image.tag ?? '')?.digest;
    const known = [...roots.of(this.#key(image)), ...(tagged === undefined ? [] : [tagged])];
    if (known.some((root) => catalog.belongs(repository, root, digest))) return;
    throw refused(image, `${digest} is no part of it`);
  }

  #key(image: ImageReference): string {
    return `${this.#options.node} ${formatReference(image)}`;
  }
}

/** What names of images led to, newest first. */
class Roots {
  readonly #byName = new Map<string, readonly Digest[]>();

  of(name: string): readonly Digest[] {
    return this.#byName.get(name) ?? [];
  }

  add(name: string, digest: Digest): void {
    const others = this.of(name).filter((each) => each !== digest);
    this.#byName.delete(name);
    this.#byName.set(name, [digest, ...others].slice(0, MAX_ROOTS));
    const [oldest] = this.#byName.keys();
    if (this.#byName.size > MAX_REMEMBERED && oldest !== undefined) this.#byName.delete(oldest);
  }
}

/** Names of images that pods have are not checked by anybody before. */
function isSame(name: string, wanted: string): boolean {
  try {
    return formatReference(parseReference(name)) === wanted;
  } catch {
    return false;
  }
}

/** The token in a pull secret decides as it would at the door. */
async function mayGet(access: RegistryAccess, image: ImageReference, token: string | undefined): Promise<boolean> {
  if (token === undefined) return false;
  const authentication = await access.authenticate({ bearerToken: token });
  if (authentication.kind !== 'user') return false;
  const { namespace, name } = placeOf(access, image.repository);
  const resource: Attributes['resource'] = { ...IMAGES, name, ...(namespace === undefined ? {} : { namespace }) };
  return access.authorize({ user: authentication.user, verb: 'get', path: '', resource }).allowed;
}

/** Whether somebody brought this image of another registry into ours. */
function holds({ catalog }: Registry, repository: string, { digest, tag = '' }: ImageReference): boolean {
  return digest === undefined
    ? catalog.tag(repository, tag) !== undefined
    : catalog.manifest(repository, digest) !== undefined;
}

/** What one repository of ours holds. */
function keptSource(registry: Registry, repository: string): ImageSource {
  return {
    resolve: async (image) => {
      const { digest, mediaType, size } = found(image, () => registry.manifest(repository, referenceOf(image)));
      return { digest, mediaType, size };
    },
    manifest: async (image, { digest }) => {
      const { size, content } = found(image, () => registry.manifest(repository, { digest }));
      if (size > MAX_MANIFEST_BYTES) throw imageErrors.TOO_LARGE({ what: digest, limit: MAX_MANIFEST_BYTES });
      const chunks: Uint8Array[] = [];
      for await (const chunk of content()) chunks.push(chunk);
      return Buffer.concat(chunks);
    },
    blob: async function* (image, { digest }, { offset = 0 } = {}) {
      const { size } = found(image, () => registry.blob(repository, digest));
      if (offset < size) yield* registry.read(digest, { offset, length: size - offset });
    },
  };
}

function referenceOf({ digest, tag = 'latest' }: ImageReference) {
  return digest === undefined ? { tag } : { digest };
}

function found<T>(image: ImageReference, look: () => T): T {
  try {
    return look();
  } catch (cause) {
    if (!(cause instanceof Refusal)) throw cause;
    throw imageErrors.NOT_FOUND({ what: formatReference(image), where: 'the registry of the cloud' }, { cause });
  }
}

/** Tokens of ours are for our door, not for the registry behind it. */
function withoutCredentials(source: ImageSource): ImageSource {
  const bare = ({ credentials: _own, ...options }: BlobFetchOptions = {}) => options;
  return {
    resolve: (image, options) => source.resolve(image, bare(options)),
    manifest: (image, wanted, options) => source.manifest(image, wanted, bare(options)),
    blob: (image, wanted, options) => source.blob(image, wanted, bare(options)),
  };
}

function refused(image: ImageReference, problem: string): Error {
  return imageErrors.UNAUTHORIZED({ where: THE_CLOUD, what: formatReference(image), problem });
}
