/**
 * Writes the entries of layers into a directory, one layer over the other.
 * Invariant: nothing outside of the directory is ever touched, whatever the archive says: each step of a path is looked at, and links
 * are followed only as somebody inside would follow them.
 * Synchronous, since it has a process of its own and nobody else writes there.
 */
import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  type Stats,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { LayerProblem, parseEntryName, parseLinkName, quote, whiteoutOf } from './entry-name.ts';

export interface EntryFacts {
  readonly name: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970. */
  readonly modifiedAt: number;
}

export type LayerEntry = EntryFacts &
  (
    | { readonly kind: 'file' | 'directory' | 'device' }
    | { readonly kind: 'symlink' | 'hardlink'; readonly target: string }
  );

/** Receives the bytes of a file. */
export interface FileSink {
  write(chunk: Uint8Array): void;
  end(): void;
}

export interface TreeWriterOptions {
  readonly root: string;
  /** Files get the owners that the archive names. Without it everything belongs to us, and no program gains privileges by its file. */
  readonly keepsOwners: boolean;
}

/** As the kernel bounds it. */
const MAX_FOLLOWED_LINKS = 40;
const MAX_ID = 0xffff_fffe;
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** Of setuid, setgid and sticky only the last is harmless in anybody's hands. */
const HARMLESS_BITS = 0o1777;

export class TreeWriter {
  readonly #root: string;
  readonly #keepsOwners: boolean;
  /** What this layer made, and the directories it made it in: its whiteouts are for the layers below. */
  readonly #made = new Set<string>();
  /** Directories whose time is set once nothing is written into them any more. */
  readonly #times = new Map<string, number>();
  /** Directories that were looked at step by step. Forgotten whenever something is removed. */
  readonly #known = new Map<string, string>();

  constructor({ root, keepsOwners }: TreeWriterOptions) {
    this.#root = root;
    this.#keepsOwners = keepsOwners;
  }

  /** For a file, a sink for its content. */
  add(entry: LayerEntry): FileSink | undefined {
    checkIds(entry);
    const steps = parseEntryName(entry.name);
    const last = steps.at(-1);
    if (last === undefined) {
      if (entry.kind !== 'directory') throw new LayerProblem('its root is no directory');
      this.#dress(this.#root, entry);
      return undefined;
    }
    const whiteout = whiteoutOf(last);
    if (whiteout.kind !== 'none') {
      const parent = this.#find(steps.slice(0, -1));
      if (parent !== undefined && whiteout.kind === 'opaque') this.#empty(parent);
      if (parent !== undefined && whiteout.kind === 'removes') this.#removeOlder(join(parent, whiteout.name));
      return undefined;
    }
    return this.#make(entry, steps, join(this.#directory(steps.slice(0, -1)), last));
  }

  /** After the last entry of a layer. */
  endLayer(): void {
    for (const [directory, time] of this.#times) {
      if (lstatIfThere(directory)?.isDirectory() === true) utimesSync(directory, time, time);
    }
    this.#times.clear();
    this.#made.clear();
  }

  #make(entry: LayerEntry, steps: readonly string[], path: string): FileSink | undefined {
    if (entry.kind === 'device') {
      // A container gets its devices from the node; those that images bring for /dev would never be seen.
      if (steps[0] === 'dev') return undefined;
      throw new LayerProblem(`${quote(entry.name)} is a device`);
    }
    const existing = lstatIfThere(path);
    if (entry.kind === 'hardlink') return this.#link(path, entry.target, existing);
    if (existing !== undefined && !(existing.isDirectory() && entry.kind === 'directory')) this.#remove(path);
    this.#note(path);
    if (entry.kind === 'symlink') {
      symlinkSync(entry.target, path);
      if (this.#keepsOwners) lchownSync(path, entry.uid, entry.gid);
      return undefined;
    }
    if (entry.kind === 'file') return this.#file(path, entry);
    if (existing?.isDirectory() !== true) mkdirSync(path, 0o700);
    this.#dress(path, entry);
    return undefined;
  }

  #file(path: string, entry: EntryFacts): FileSink {
    const file = openSync(path, NEW_FILE, 0o600);
    return {
      write: (chunk) => {
        for (let done = 0; done < chunk.length; ) done += writeSync(file, chunk, done);
      },
      end: () => {
        if (this.#keepsOwners) fchownSync(file, entry.uid, entry.gid);
        // After the owner, whose change takes the privileges of a program away.
        fchmodSync(file, this.#modeOf(entry, 0o400));
        const time = timeOf(entry);
        futimesSync(file, time, time);
        closeSync(file);
      },
    };
  }

  #link(path: string, target: string, existing: Stats | undefined): undefined {
    const steps = parseLinkName(target);
    const last = steps.at(-1);
    const parent = last === undefined ? undefined : this.#find(steps.slice(0, -1));
    const source = parent === undefined || last === undefined ? undefined : join(parent, last);
    const stats = source === undefined ? undefined : lstatIfThere(source);
    if (source === undefined || stats === undefined || !(stats.isFile() || stats.isSymbolicLink())) {
      throw new LayerProblem(`a hard link leads to ${quote(target)}, which is no file of the image`);
    }
    if (source === path) return undefined;
    if (existing !== undefined) this.#remove(path);
    this.#note(path);
    linkSync(source, path);
    return undefined;
  }

  #dress(directory: string, entry: EntryFacts): void {
    this.#note(directory);
    if (this.#keepsOwners) lchownSync(directory, entry.uid, entry.gid);
    chmodSync(directory, this.#modeOf(entry, 0o700));
    this.#times.set(directory, timeOf(entry));
  }

  /** Without root, we could not remove again what we may not enter. */
  #modeOf({ mode }: EntryFacts, least: number): number {
    return this.#keepsOwners ? mode & 0o7777 : (mode & HARMLESS_BITS) | least;
  }

  #note(path: string): void {
    for (let at = path; at !== this.#root && !this.#made.has(at); at = dirname(at)) this.#made.add(at);
  }

  /** The real directory at the end of these steps; made where it is missing. */
  #directory(steps: readonly string[]): string {
    return this.#walk(steps, true) ?? this.#root;
  }

  /** Undefined when there is none. */
  #find(steps: readonly string[]): string | undefined {
    return this.#walk(steps, false);
  }

  #walk(steps: readonly string[], isMade: boolean): string | undefined {
    const key = steps.join('/');
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const pending = [...steps];
    let [directory, followed] = [this.#root, 0];
    for (let step = pending.shift(); step !== undefined; step = pending.shift()) {
      if (step === '..') {
        directory = this.#above(directory, key);
        continue;
      }
      const path = join(directory, step);
      const stats = lstatIfThere(path);
      if (stats?.isSymbolicLink() === true) {
        if (++followed > MAX_FOLLOWED_LINKS) throw new LayerProblem(`${quote(key)} leads through too many links`);
        const target = readlinkSync(path);
        pending.unshift(...target.split('/').filter((one) => one !== '' && one !== '.'));
        if (target.startsWith('/')) directory = this.#root;
        continue;
      }
      if (stats === undefined) {
        // What lies behind a link must be there: an archive that makes it by way of the link is up to something.
        if (!isMade || followed > 0) return this.#missing(key, followed);
        mkdirSync(path, 0o755);
        this.#note(path);
      } else if (!stats.isDirectory()) throw new LayerProblem(`${quote(key)} leads through a file`);
      directory = path;
    }
    this.#known.set(key, directory);
    return directory;
  }

  #missing(key: string, followed: number): undefined {
    if (followed > 0) throw new LayerProblem(`${quote(key)} leads through a link to nowhere in the image`);
    return undefined;
  }

  #above(directory: string, key: string): string {
    if (directory === this.#root) throw new LayerProblem(`${quote(key)} leads out of the image through a link`);
    return dirname(directory);
  }

  #empty(directory: string): void {
    for (const name of readdirSync(directory)) this.#removeOlder(join(directory, name));
  }

  #removeOlder(path: string): void {
    if (!this.#made.has(path)) this.#remove(path);
    else if (lstatIfThere(path)?.isDirectory() === true) this.#empty(path);
  }

  #remove(path: string): void {
    rmSync(path, { recursive: true, force: true });
    this.#known.clear();
  }
}

function checkIds({ name, uid, gid }: EntryFacts): void {
  if ([uid, gid].every((id) => Number.isInteger(id) && id >= 0 && id <= MAX_ID)) return;
  throw new LayerProblem(`${quote(name)} has an owner that cannot be`);
}

/** Some archives have none, or one that no file system can keep. */
function timeOf({ modifiedAt }: EntryFacts): number {
  return Number.isFinite(modifiedAt) ? Math.min(Math.max(0, modifiedAt), 2 ** 33) : 0;
}

function lstatIfThere(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}
