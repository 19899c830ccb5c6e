/** The volumes of one pod on disk: made before its containers start, kept current while they run, removed after. */
import { chmod, chown, lstat, mkdir, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { PodFacts } from '../pod/downward.ts';
import type { ConfigReader } from '../pod/environment.ts';
import { expand } from '../pod/expand.ts';
import type { Container, Pod, Volume } from '../pod/types.ts';
import { type ReadyMount, RuntimeRefusal } from '../runtime.ts';
import { type Ownership, volumePath, writeDirectory } from './atomic-directory.ts';
import { openClaim } from './claim.ts';
import { openHostPath } from './host-path.ts';
import { type IssuedToken, payloadOf, type TokenRequest, VolumeProblem } from './payload.ts';

/** A token is replaced after this part of its life. */
const TOKEN_LIFE_USED = 0.8;
/** Where memory-backed volumes are. */
const MEMORY_ROOT = '/dev/shm';

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
    for (const mount of container.volumeMounts ?? []) {
      const volume = this.#paths.get(mount.name);
      if (volume === undefined) throw new VolumeProblem(`no volume "${mount.name}"`);
      const subPath = mount.subPathExpr === undefined ? mount.subPath : expand(mount.subPathExpr, (name) => env[name]);
      const hostPath = subPath === undefined || subPath === '' ? volume : await this.#subPath(volume, subPath);
      const readOnly = mount.readOnly === true || this.#readOnly.has(mount.name);
      mounts.push({ hostPath, mountPath: mount.mountPath, readOnly });
    }
    return mounts;
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
    if (volume.persistentVolumeClaim !== undefined) {
      return openClaim(volume.persistentVolumeClaim.claimName, this.#context.read);
    }
    const { read } = this.#context;
    const owner = this.#context.owner();
    const fsGroup = pod.spec.securityContext?.fsGroup;
    if (volume.emptyDir !== undefined) return this.#emptyDir(volume.name, volume.emptyDir.medium, pod, fsGroup);
    const token = (request: TokenRequest) => this.#token(volume.name, request);
    const payload = await payloadOf(volume, { pod, facts, read, token });
    if (payload === undefined) throw new VolumeProblem(`volume type ${typeOf(volume)} is not supported on this node`);
    const directory = join(this.#context.directory, 'volumes', volume.name);
    const files =
      fsGroup === undefined ? payload : new Map(payload.entries().map(([path, file]) => [path, groupReadable(file)]));
    await writeDirectory(directory, files, ownership(owner, fsGroup));
    return directory;
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
    const owner = this.#context.owner();
    if (fsGroup !== undefined && owner !== undefined) await chown(directory, owner.uid, fsGroup);
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

  /** Links in the volume are followed, but never out of it. */
  async #subPath(volume: string, subPath: string): Promise<string> {
    const safe = volumePath(subPath);
    if (safe === undefined)
      throw new RuntimeRefusal('CreateContainerConfigError', `subPath ${JSON.stringify(subPath)} leaves the volume`);
    const path = join(volume, safe);
    const root = await realpath(volume);
    const real = await realpath(path).catch(() => undefined);
    if (real === undefined) return this.#makeSubPath(path, root);
    if (real !== root && !real.startsWith(`${root}/`)) {
      throw new RuntimeRefusal(
        'CreateContainerConfigError',
        `subPath ${JSON.stringify(subPath)} leads out of the volume`,
      );
    }
    return real;
  }

  async #makeSubPath(path: string, root: string): Promise<string> {
    const made = await mkdir(path, { recursive: true, mode: 0o755 });
    const real = await realpath(path);
    if (!real.startsWith(`${root}/`))
      throw new RuntimeRefusal('CreateContainerConfigError', 'subPath leads out of the volume');
    const owner = this.#context.owner();
    if (made !== undefined && owner !== undefined) await chown(made, owner.uid, owner.gid);
    return real;
  }
}

/** Anybody may make directories there: one with our name that is not ours is a trap. */
async function refuseForeign(directory: string): Promise<void> {
  const stat = await lstat(directory);
  if (stat.isDirectory() && stat.uid === process.getuid?.()) return;
  throw new VolumeProblem(`${directory} belongs to somebody else`);
}

function groupReadable<T extends { readonly mode: number }>(file: T): T {
  return { ...file, mode: file.mode | ((file.mode & 0o600) >> 3) };
}

function ownership(owner: Ownership | undefined, fsGroup: number | undefined): Ownership | undefined {
  if (owner === undefined) return undefined;
  return fsGroup === undefined ? owner : { uid: owner.uid, gid: fsGroup };
}

export function memoryDirectory(podUid: string): string {
  return join(MEMORY_ROOT, `skerry-${podUid}`);
}

function typeOf(volume: Volume): string {
  return Object.keys(volume).find((key) => key !== 'name') ?? 'unknown';
}
