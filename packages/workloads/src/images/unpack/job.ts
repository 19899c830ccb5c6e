/** What the process that unpacks is asked, and what it says when it is done. */
import type { Bounds } from './bounds.ts';

export interface UnpackJob {
  /** The base first. */
  readonly layers: readonly LayerFile[];
  /** An empty directory of ours. */
  readonly target: string;
  readonly keepsOwners: boolean;
  readonly bounds: Bounds;
}

export interface LayerFile {
  readonly path: string;
  /** As the image's manifest names it. */
  readonly digest: string;
  /** The hash of its content without compression. */
  readonly diffId: string;
}

export type UnpackOutcome =
  | { readonly result: 'unpacked' }
  /** The archive is bad; the problem names what in it. */
  | { readonly result: 'refused'; readonly digest: string; readonly problem: string }
  /** The archive may be good; the machine could not do it. */
  | { readonly result: 'failed'; readonly problem: string };
