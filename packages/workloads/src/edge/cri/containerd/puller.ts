/**
 * Pulls images by our own means, resumable and by way of the link, straight into containerd: its registry configuration plays no
 * part, and the image has the name that the pod gives it.
 */
import { createHash } from 'node:crypto';
import { type Clock, hasCode, type Logger, messageOf } from '@skerry/base';
import {
  type BlobStore,
  type Descriptor,
  type Digest,
  type FoundImage,
  formatReference,
  ImagePuller,
  type ImageReference,
  type ImageSource,
  MAX_CONFIG_BYTES,
  parseConfig,
  parseReference,
  readBlob,
  repositoryName,
} from '../../../images/index.ts';
import { authFor } from '../../pod/registry-auth.ts';
import { PullFailure, type PullTask } from '../../runtime.ts';
import { Status } from '../grpc-frame.ts';
import { containerdBlobs } from './blobs.ts';
import { type ContainerdClient, createContainerdClient, hasStatus, isUnimplemented } from './client.ts';
import { checkLayers } from './layers.ts';

/** What was begun and never finished is collected after that. */
const LEASE_MS = 7 * 24 * 3_600_000;
const GC_EXPIRE = 'containerd.io/gc.expire';
const GC_REF = 'containerd.io/gc.ref.content';

export interface PullerOptions {
  readonly socket: string;
  readonly source: () => Promise<ImageSource>;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface ContainerdPuller {
  /** False where the runtime has no services that take images: CRI of another make. */
  isPossible(): Promise<boolean>;
  /** Brings the image into containerd under its full name, and says which one it is: its configuration's hash. Throws PullFailure. */
  pull(task: PullTask): Promise<string | undefined>;
  close(): void;
}

export function createContainerdPuller(options: PullerOptions): ContainerdPuller {
  return new Puller(options);
}

class Puller implements ContainerdPuller {
  readonly #options: PullerOptions;
  readonly #client: ContainerdClient;
  /** By lease: pulls of one image that overlap are one, and share what has come. */
  readonly #flights = new Map<string, { readonly puller: ImagePuller<Digest>; users: number }>();
  #isPossible: boolean | undefined;

  constructor(options: PullerOptions) {
    this.#options = options;
    this.#client = createContainerdClient(options.socket);
  }

  async isPossible(): Promise<boolean> {
    this.#isPossible ??= await this.#client.call('GetImage', { name: 'skerry' }).then(
      () => true,
      (error: unknown) => {
        if (hasCode(error, 'CRI_NOT_FOUND')) return true;
        if (isUnimplemented(error)) return false;
        throw error;
      },
    );
    return this.#isPossible;
  }

  async pull(task: PullTask): Promise<string | undefined> {
    const image = parseReference(task.image);
    const lease = leaseOf(image);
    try {
      const credentials = await authFor(task.image, task.pod, task.read);
      const options = {
        signal: task.signal,
        ...(credentials === undefined ? {} : { credentials }),
      };
      const source = await this.#options.source();
      // A name that means what it meant before brings nothing.
      if (await this.#hasTarget(image, await source.resolve(image, options))) return undefined;
      await this.#hold(lease);
      const { onProgress } = task;
      const id = await this.#flying(lease, (puller) => puller.pull(source, image, { ...options, onProgress }));
      await this.#release(lease);
      return id;
    } catch (error) {
      task.signal.throwIfAborted();
      const isPassing = hasCode(error) && error.retry !== 'never';
      if (!isPassing) await this.#release(lease);
      throw new PullFailure(messageOf(error), { cause: error, isUnreachable: isPassing });
    }
  }

  close(): void {
    this.#client.close();
  }

  /** The name means what it meant before: nothing has to come. */
  async #hasTarget(image: ImageReference, { digest }: Descriptor): Promise<boolean> {
    try {
      const { image: known } = await this.#client.call('GetImage', { name: formatReference(image) });
      return known?.target?.digest === digest;
    } catch (error) {
      if (hasCode(error, 'CRI_NOT_FOUND')) return false;
      throw error;
    }
  }

  async #flying<Result>(lease: string, work: (puller: ImagePuller<Digest>) => Promise<Result>): Promise<Result> {
    const flight = this.#flights.get(lease) ?? { puller: this.#pullerUnder(lease), users: 0 };
    this.#flights.set(lease, flight);
    flight.users++;
    try {
      return await work(flight.puller);
    } finally {
      flight.users--;
      if (flight.users === 0) this.#flights.delete(lease);
    }
  }

  #pullerUnder(lease: string): ImagePuller<Digest> {
    const blobs = containerdBlobs(this.#client, lease);
    return new ImagePuller({
      blobs,
      clock: this.#options.clock,
      // The lease holds what comes.
      holding: (work) => work(new Set()),
      finish: (image, found) => this.#adopt(blobs, image, found),
    });
  }

  /** Looked through, held together, and named. */
  async #adopt(blobs: BlobStore, image: ImageReference, { target, manifest, parts }: FoundImage): Promise<Digest> {
    const { config, layers } = parts;
    const name = formatReference(image);
    const { diffIds } = parseConfig(await readBlob(blobs, config, MAX_CONFIG_BYTES), `configuration of ${name}`);
    await checkLayers(blobs, { layers, diffIds });
    if (manifest.digest !== target.digest) await this.#tie(target, [['m.0', manifest]]);
    await this.#tie(manifest, [['config', config], ...layers.map((one, index) => [`l.${index}`, one] as const)]);
    await this.#name(`${repositoryName(image)}@${target.digest}`, target);
    await this.#name(name, target);
    return config.digest;
  }

  /** containerd's collector follows these labels from an image to its parts. */
  async #tie({ digest }: Descriptor, parts: readonly (readonly [label: string, part: Descriptor])[]): Promise<void> {
    const labels = Object.fromEntries(parts.map(([label, part]) => [`${GC_REF}.${label}`, part.digest]));
    const paths = Object.keys(labels).map((label) => `labels.${label}`);
    await this.#client.call('UpdateContent', { info: { digest, labels }, mask: { paths } });
  }

  /** CRI hears of it, adds the name by which it knows the image itself, and marks both as its own. */
  async #name(name: string, target: Descriptor): Promise<void> {
    const image = { name, target };
    try {
      await this.#client.call('CreateImage', { image });
    } catch (error) {
      if (!hasStatus(error, Status.alreadyExists)) throw error;
      await this.#client.call('UpdateImage', { image, mask: { paths: ['target'] } });
    }
  }

  /** Nothing that has come is collected until the image holds it, also over a restart of the agent. */
  async #hold(lease: string): Promise<void> {
    const labels = { [GC_EXPIRE]: new Date(this.#options.clock.now() + LEASE_MS).toISOString() };
    try {
      await this.#client.call('CreateLease', { id: lease, labels });
    } catch (error) {
      if (!hasStatus(error, Status.alreadyExists)) throw error;
    }
  }

  async #release(lease: string): Promise<void> {
    if (this.#flights.has(lease)) return;
    try {
      await this.#client.call('DeleteLease', { id: lease });
    } catch (error) {
      // It expires by itself.
      if (!hasCode(error, 'CRI_NOT_FOUND'))
        this.#options.log.warn({ lease, error: messageOf(error) }, 'lease not given up');
    }
  }
}

function leaseOf(image: ImageReference): string {
  return `skerry-pull-${createHash('sha256').update(formatReference(image)).digest('hex').slice(0, 16)}`;
}
