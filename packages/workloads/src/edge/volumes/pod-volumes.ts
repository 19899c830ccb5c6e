/** The volumes of one pod on disk: made before its containers start, kept current while they run, removed after. */
import { chmod, chown, lstat, mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { claimNameOf } from '../../volumes/claim-names.ts';
import type { PodFacts } from '../pod/downward.ts';
import type { ConfigReader } from '../pod/environment.ts';
import type { Container, Pod, Volume } from '../pod/types.ts';
import type { ReadyMount } from '../runtime.ts';
import { type Ownership, writeDirectory } from './atomic-directory.ts';
import { openClaim } from './claim.ts';
import { giveToGroup } from './file-group.ts';
import { openHostPath } from './host-path.ts';
import { type IssuedToken, payloadOf, type TokenRequest, VolumeProblem } from './payload.ts';
import { holdFile, openSubPath, readSmallFile, subPathOf } from './sub-path.ts';

/** A token is replaced after this part of its life. */
const TOKEN_LIFE_USED = 0.8;
const TOKEN_MODE = 0o600;
/** Where memory-backed volumes are. */
const MEMORY_ROOT = '/dev/shm';
/** For chown: the owner stays. */
const KEEP = -1;
/** Only root gives files away. */
const IS_ROOT = process.getuid?.() === 0;

export interface VolumeContext {
  /** The pod's own directory. */
  readonly directory: string;
  readonly read: ConfigReader;
  readonly requestToken: (request: TokenRequest) => Promise<IssuedToken>;
  readonly now: () => number;
  readonly owner: () => Ownership | undefined;
}

export class PodVolumes {
  readonly #context: VolumeContext;
  readonly #paths = new Map<string, string>();
  readonly #readOnly = new Set<string>();
  /** Volumes whose files are written anew when what they show changes. */
  readonly #written = new Set<string>();
  readonly #tokens = new Map<string, IssuedToken & { readonly renewAt: number }>();
  #turn: Promise<void> = Promise.resolve();
  #isTornDown = false;

  constructor(context: VolumeContext) {
    this.#context = context;
  }

  /** When a token must be replaced; undefined when the pod has none. */
  get renewAt(): number | undefined {
    const times = Array.from(this.#tokens.values(), ({ renewAt }) => renewAt);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** Makes what is missing and brings what is there up to date; throws VolumeProblem. Does nothing once they are torn down. */
  setUp(pod: Pod, facts: PodFacts): Promise<void> {
    return this.#inTurn(async () => {
      if (!this.#isTornDown) await this.#setUpAll(pod, facts);
    });
  }

  async #setUpAll(pod: Pod, facts: PodFacts): Promise<void> {
    for (const volume of pod.spec.volumes ?? []) {
      try {
        this.#paths.set(volume.name, await this.#setUpOne(volume, pod, facts));
        if (volume.persistentVolumeClaim?.readOnly === true) this.#readOnly.add(volume.name);
      } catch (error) {
        if (!(error instanceof VolumeProblem)) throw error;
        throw new VolumeProblem(`MountVolume.SetUp failed for volume "${volume.name}" : ${error.message}`, {
          cause: error,
        });
      }
    }
  }

  /** The container's mounts. `env` is for subPathExpr. */
  async mountsOf(container: Container, env: Readonly<Record<string, string>>): Promise<ReadyMount[]> {
    const mounts: ReadyMount[] = [];
    for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
      const volume = this.#paths.get(mount.name);
      if (volume === undefined) throw new VolumeProblem(`no volume "${mount.name}"`);
      const subPath = subPathOf(mount, env);
      const found = subPath === '' ? volume : await openSubPath(volume, subPath, this.#context.owner());
      const holder = join(this.#context.directory, 'subpaths', container.name, String(index));
      // The next version of such a volume takes the place of this one, whose file the container goes on to see.
      const hostPath = subPath !== '' && this.#written.has(mount.name) ? await holdFile(found, holder) : found;
      const readOnly = mount.readOnly === true || this.#readOnly.has(mount.name);
      mounts.push({ hostPath, mountPath: mount.mountPath, readOnly });
    }
    return mounts;
  }

  /** A small file that a container of the pod has written; undefined when there is none. */
  async readFile(volume: string, path: string): Promise<string | undefined> {
    const directory = this.#paths.get(volume);
    return directory === undefined ? undefined : readSmallFile(directory, path);
  }

  tearDown(podUid: string): Promise<void> {
    this.#isTornDown = true;
    return this.#inTurn(async () => {
      await rm(join(this.#context.directory, 'volumes'), { recursive: true, force: true });
      await rm(memoryDirectory(podUid), { recursive: true, force: true });
      this.#paths.clear();
      this.#tokens.clear();
    });
  }

  /** One at a time: two that write a volume, or one that writes what another removes, would trip over each other. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  async #setUpOne(volume: Volume, pod: Pod, facts: PodFacts): Promise<string> {
    if (volume.hostPath !== undefined) return openHostPath(volume.hostPath);
    const claim = claimNameOf(pod, volume);
    if (claim !== undefined) return this.#claim(volume, claim, pod);
    const { read } = this.#context;
    const owner = this.#context.owner();
    const fsGroup = pod.spec.securityContext?.fsGroup;
    if (volume.emptyDir !== undefined) return this.#emptyDir(volume.name, volume.emptyDir.medium, pod, fsGroup);
    const token = (request: TokenRequest) => this.#token(volume.name, request);
    const owned = ownership(owner, fsGroup);
    const tokenMode = owned === undefined ? {} : { tokenMode: TOKEN_MODE };
    const payload = await payloadOf(volume, { pod, facts, read, token, ...tokenMode });
    if (payload === undefined) throw new VolumeProblem(`volume type ${typeOf(volume)} is not supported on this node`);
    const directory = join(this.#context.directory, 'volumes', volume.name);
    const files =
      fsGroup === undefined ? payload : new Map(payload.entries().map(([path, file]) => [path, groupReadable(file)]));
    await writeDirectory(directory, files, owned);
    this.#written.add(volume.name);
    return directory;
  }

  async #claim(volume: Volume, name: string, pod: Pod): Promise<string> {
    const madeFor = volume.ephemeral === undefined ? {} : { madeFor: pod.metadata.uid ?? '' };
    const { path, takesGroup } = await openClaim({ name, ...madeFor }, this.#context.read);
    const { fsGroup, fsGroupChangePolicy } = pod.spec.securityContext ?? {};
    const isReadOnly = volume.persistentVolumeClaim?.readOnly === true;
    if (fsGroup === undefined || !takesGroup || isReadOnly || !IS_ROOT) return path;
    // Once a pod, also when the agent was started anew: what the pod has done to its files since is its own.
    const mark = join(this.#context.directory, 'volumes', `${volume.name}.group`);
    if ((await lstat(mark).catch(() => undefined)) !== undefined) return path;
    await giveToGroup(path, fsGroup, fsGroupChangePolicy);
    await mkdir(dirname(mark), { recursive: true, mode: 0o700 });
    await writeFile(mark, '');
    return path;
  }

  async #emptyDir(name: string, medium: string | undefined, pod: Pod, fsGroup: number | undefined): Promise<string> {
    const inMemory = medium === 'Memory';
    const parent = inMemory ? memoryDirectory(pod.metadata.uid ?? '') : join(this.#context.directory, 'volumes');
    // The pod's own directory also names those that have memory: it is what a sweep finds.
    await mkdir(this.#context.directory, { recursive: true, mode: 0o700 });
    await mkdir(parent, { recursive: true, mode: 0o700 });
    if (inMemory) await refuseForeign(parent);
    const directory = join(parent, name);
    if ((await lstat(directory).catch(() => undefined)) !== undefined) return directory;
    await mkdir(directory);
    if (fsGroup !== undefined && IS_ROOT) await chown(directory, KEEP, fsGroup);
    await chmod(directory, fsGroup === undefined ? 0o777 : 0o2777);
    return directory;
  }

  /** One token a volume and audience, asked for anew only when its time comes. */
  async #token(volume: string, request: TokenRequest): Promise<IssuedToken> {
    const key = [volume, ...request.audiences].join('\0');
    const now = this.#context.now();
    const known = this.#tokens.get(key);
    if (known !== undefined && now < known.renewAt) return known;
    const issued = await this.#context.requestToken(request);
    this.#tokens.set(key, { ...issued, renewAt: now + (issued.expiresAt - now) * TOKEN_LIFE_USED });
    return issued;
  }
}

/** Anybody may make directories there: one with our name that is not ours is a trap. */
async function refuseForeign(directory: string): Promise<void> {
  const stat = await lstat(directory);
  if (stat.isDirectory() && stat.uid === process.getuid?.()) return;
  throw new VolumeProblem(`${directory} belongs to somebody else`);
}

/** As a kubelet opens what is only read to the pod's group. */
function groupReadable<T extends { readonly mode: number }>(file: T): T {
  return { ...file, mode: file.mode | 0o440 };
}

function ownership(owner: Ownership | undefined, fsGroup: number | undefined): Ownership | undefined {
  if (fsGroup === undefined || !IS_ROOT) return owner;
  return { uid: owner?.uid ?? KEEP, gid: fsGroup };
}

export function memoryDirectory(podUid: string): string {
  return join(MEMORY_ROOT, `skerry-${podUid}`);
}

function typeOf(volume: Volume): string {
  return Object.keys(volume).find((key) => key !== 'name') ?? 'unknown';
}
