/** Images on runtime `process`: pulled, unpacked once, and each container in a root of its own. */
import { constants } from 'node:os';
import { join } from 'node:path';
import { type Clock, hasCode, type Logger, messageOf } from '@skerry/base';
import {
  type ImageReference,
  type ImageSource,
  type ImageStore,
  imageErrors,
  parseReference,
  repositoryName,
  type StoredImage,
} from '../../../images/index.ts';
import type { Usage } from '../../../supervisor/protocol.ts';
import { hostnameOf } from '../../pod/etc-hosts.ts';
import { authFor } from '../../pod/registry-auth.ts';
import {
  type ContainerUsage,
  type ListedImage,
  PullFailure,
  type PullTask,
  type ReadyImage,
  type ReadyMount,
  RuntimeRefusal,
  type StartContainer,
} from '../../runtime.ts';
import type { Launch } from '../host-launch.ts';
import type { AgentIdentity } from '../privileges.ts';
import { ImageCollection } from './image-collection.ts';
import { launchOf, planLaunch } from './image-launch.ts';
import { findInnerTools, type InnerTools } from './inner-tools.ts';
import { adviceForNamespaces, roomWords, runProgram } from './room.ts';
import { ImageTrees } from './trees.ts';
import { removeTree, WritableRoots } from './writable-roots.ts';

/** An image that is here does not wait longer to hear whether there is a newer one. */
const REFRESH_PATIENCE_MS = 5000;

/** Programs of the node by name; absent where it lacks them. */
export type HostPrograms = (name: string) => string | undefined;

export interface ImagesOptions {
  readonly store: ImageStore;
  readonly source: ImageSource;
  /** Starts the program that unpacks. */
  readonly unpack: readonly string[];
}

export interface ImageContainersOptions extends ImagesOptions {
  readonly directory: string;
  readonly agent: AgentIdentity;
  readonly find: HostPrograms;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What it needs of the node, found when the first image comes. */
interface Means {
  readonly bwrap: string;
  readonly nsenter: string;
  readonly tools: InnerTools;
}

/** In which Debian package each program is. */
const PACKAGES = { bwrap: 'bubblewrap', setpriv: 'util-linux', nsenter: 'util-linux', unshare: 'util-linux' } as const;

export class ImageContainers {
  readonly #options: ImageContainersOptions;
  readonly #room: readonly string[];
  readonly #trees: ImageTrees;
  readonly #roots: WritableRoots;
  readonly #collection: ImageCollection;
  #means: Promise<Means> | undefined;
  #opened: Promise<void> | undefined;

  constructor(options: ImageContainersOptions) {
    this.#options = options;
    const { directory, store, unpack: command, agent, find, clock, log } = options;
    const program = (name: string) => find(name) ?? name;
    const isUser = agent.uid !== 0;
    const room = roomWords(program('unshare'), isUser);
    const tools = { sh: program('sh'), mount: program('mount'), cp: program('cp'), rm: program('rm') };
    const sync = program('sync');
    this.#room = room;
    this.#roots = new WritableRoots({ directory: join(directory, 'containers'), room, tools, isUser, log });
    this.#trees = new ImageTrees({
      directory: join(directory, 'trees'),
      store,
      command,
      keepsOwners: !isUser,
      removeTree: (path) => removeTree({ room, tools }, path),
      sync: (path) => runProgram([sync, '--file-system', path]),
    });
    this.#collection = new ImageCollection({ store, directory, now: () => clock.now() });
  }

  list(): readonly ListedImage[] {
    return this.#options.store.list().map(({ names, target, size }) => {
      const byDigest = names.map((name) => `${repositoryName(parseReference(name))}@${target.digest}`);
      return { names: [...new Set([...byDigest, ...names])], sizeBytes: size };
    });
  }

  /** Throws RuntimeRefusal where images cannot run at all. */
  async find(name: string): Promise<ReadyImage | undefined> {
    const image = parseReference(name);
    await this.#ensureMeans();
    const stored = this.#options.store.find(image);
    if (stored === undefined) return undefined;
    try {
      await this.#unpack(stored);
    } catch (error) {
      throw new RuntimeRefusal('ErrImagePull', messageOf(error), { cause: error });
    }
    return readyImage(image, stored);
  }

  async pull({ image: name, pod, read, signal, onProgress }: PullTask): Promise<ReadyImage> {
    await this.#ensureMeans();
    const { store } = this.#options;
    try {
      const image = parseReference(name);
      const credentials = await authFor(name, pod, read);
      const source = store.find(image) === undefined ? this.#options.source : this.#hasty(this.#options.source);
      const options = { signal, onProgress, ...(credentials === undefined ? {} : { credentials }) };
      const stored = await store.pull(source, image, options);
      await this.#unpack(stored, signal);
      return readyImage(image, stored);
    } catch (error) {
      const isUnreachable = hasCode(error) && error.retry !== 'never' && error.code !== 'IMAGE_UNPACK_FAILED';
      throw new PullFailure(messageOf(error), { cause: error, isUnreachable });
    }
  }

  /** Makes the container's root, and says how the supervisor starts it. Throws RuntimeRefusal. */
  async prepare(
    id: string,
    request: StartContainer,
    mounts: readonly ReadyMount[],
  ): Promise<Launch & { readonly stopSignal?: string }> {
    const { agent, store } = this.#options;
    const { bwrap, nsenter, tools } = await this.#ensureMeans();
    const stored = store.find(parseReference(request.imageRef));
    if (stored === undefined) throw new RuntimeRefusal('ErrImagePull', `image ${request.imageRef} is gone`);
    const tree = await this.#unpack(stored);
    const facts = { tree, agent, mounts, hostname: hostnameOf(request.pod) };
    const plan = planLaunch(request, facts);
    const root = await this.#roots.make(id, tree.path);
    try {
      const launch = launchOf(plan, request, { ...facts, root: root.path, enter: root.enter, bwrap, nsenter, tools });
      const { stopSignal } = tree.config;
      return { ...launch, ...(stopSignal === undefined ? {} : { stopSignal: signalName(stopSignal) }) };
    } catch (error) {
      this.#roots.remove(id);
      throw error;
    }
  }

  /** What its container has written to its root belongs to each. */
  async withDisk(usages: readonly Usage[]): Promise<readonly ContainerUsage[]> {
    return await Promise.all(
      usages.map(async (usage) => {
        const disk = await this.#roots.usageOf(usage.id);
        return disk === undefined ? usage : { ...usage, diskBytes: disk.bytes, inodes: disk.inodes };
      }),
    );
  }

  /** Of a container that has ended. */
  remove(id: string): void {
    this.#roots.remove(id);
  }

  /** Nothing runs any more, nor will until the next start. */
  async clear(): Promise<void> {
    await this.#roots.sweep(() => false);
  }

  /** `containers` are all that there are, `used` their images as `imageRef` named them. */
  async sweep(containers: ReadonlySet<string>, used: ReadonlySet<string>): Promise<void> {
    await this.#open();
    await this.#roots.sweep((id) => containers.has(id));
    await this.#collection.collect(used);
    await this.#trees.collect();
  }

  /** Whatever no container uses, also when the disk has room for it. */
  async reclaim(used: ReadonlySet<string>): Promise<void> {
    await this.#open();
    await this.#collection.reclaim(used);
    await this.#trees.collect();
  }

  async #unpack(image: StoredImage, signal?: AbortSignal): ReturnType<ImageTrees['ensure']> {
    await this.#open();
    return await this.#trees.ensure(image, signal);
  }

  #open(): Promise<void> {
    this.#opened ??= this.#trees.open();
    return this.#opened;
  }

  /** The same source, but for somebody who has something already. */
  #hasty(source: ImageSource): ImageSource {
    return {
      resolve: async (image, options = {}) => {
        const late = new AbortController();
        const problem = `no answer within ${REFRESH_PATIENCE_MS / 1000} s`;
        using _timer = this.#options.clock.after(REFRESH_PATIENCE_MS, () =>
          late.abort(imageErrors.UNREACHABLE({ where: `registry ${image.registry}`, problem })),
        );
        const signal = options.signal === undefined ? late.signal : AbortSignal.any([options.signal, late.signal]);
        return await source.resolve(image, { ...options, signal });
      },
      manifest: (...args) => source.manifest(...args),
      blob: (...args) => source.blob(...args),
    };
  }

  /** Throws RuntimeRefusal with the one command that would make it work, and looks again the next time. */
  #ensureMeans(): Promise<Means> {
    this.#means ??= this.#findMeans().catch((error: unknown) => {
      this.#means = undefined;
      throw error;
    });
    return this.#means;
  }

  async #findMeans(): Promise<Means> {
    const { find, agent, directory } = this.#options;
    const program = (name: keyof typeof PACKAGES): string => {
      const found = find(name);
      if (found !== undefined) return found;
      throw cannotRun(`this node lacks ${name}; run, as root: apt-get install ${PACKAGES[name]}`);
    };
    const [bwrap, nsenter, setpriv] = [program('bwrap'), program('nsenter'), program('setpriv')];
    program('unshare');
    const tools = findInnerTools({
      setpriv,
      env: find('env') ?? '/usr/bin/env',
      directory: join(directory, 'tools'),
    });
    const trial = ['--unshare-pid', '--as-pid-1', '--bind', '/', '/', '--dev', '/dev', '--proc', '/proc'];
    try {
      await runProgram([...this.#room, bwrap, ...trial, ...tools.binds, '--', ...tools.env, '--version']);
    } catch (error) {
      const advice = agent.uid === 0 ? 'start the agent where root may make namespaces' : adviceForNamespaces();
      throw cannotRun(`${messageOf(error)}; ${advice}`);
    }
    return { bwrap, nsenter, tools };
  }
}

/** Images name it as they like: `SIGQUIT`, `QUIT`, `3`. */
function signalName(name: string): string {
  const { signals } = constants;
  const byNumber = Object.entries(signals).find(([, number]) => String(number) === name)?.[0];
  const full = byNumber ?? (name.startsWith('SIG') ? name : `SIG${name}`);
  return full in signals ? full : 'SIGTERM';
}

function cannotRun(problem: string): RuntimeRefusal {
  return new RuntimeRefusal('ErrImagePull', `images cannot run on runtime process here: ${problem}`);
}

function readyImage(image: ImageReference, { target, size }: StoredImage): ReadyImage {
  return {
    imageId: `${repositoryName(image)}@${target.digest}`,
    imageRef: `${repositoryName(image)}@${target.digest}`,
    sizeBytes: size,
  };
}
