/** Names in archives, taken apart without trust. Pure. */

/** Longer names no file system takes. */
const MAX_NAME_BYTES = 4096;

/** What is wrong with an archive; the layer it is in is refused as a whole. */
export class LayerProblem extends Error {
  override readonly name = 'LayerProblem';
}

/** The steps from the root to the entry; none for the root itself. Throws LayerProblem for names that lead out of it. */
export function parseEntryName(name: string): readonly string[] {
  if (name.startsWith('/')) throw new LayerProblem(`${quote(name)} is an absolute path`);
  return stepsOf(name);
}

/** Of a hard link: its target is named from the root, with or without a slash before it. */
export function parseLinkName(name: string): readonly string[] {
  return stepsOf(name);
}

function stepsOf(name: string): readonly string[] {
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) throw new LayerProblem(`${quote(name)} is too long a path`);
  // Where decoding put this letter, the archive holds no text.
  if (name.includes('\uFFFD') || name.includes('\0')) throw new LayerProblem(`${quote(name)} is not a text`);
  const steps = name.split('/').filter((step) => step !== '' && step !== '.');
  if (steps.some(climbs)) throw new LayerProblem(`${quote(name)} leads out of the image`);
  return steps;
}

/** Also the way other systems write it: nobody honest has such names. */
function climbs(step: string): boolean {
  return step.split('\\').includes('..');
}

/** What the last step of a name means for the layers below. */
export type Whiteout =
  | { readonly kind: 'none' }
  | { readonly kind: 'removes'; readonly name: string }
  /** Nothing of the layers below is seen in the directory. */
  | { readonly kind: 'opaque' }
  /** Of tools that are long gone, and of no meaning. */
  | { readonly kind: 'ignored' };

const PREFIX = '.wh.';
const SPECIAL = '.wh..wh.';
const OPAQUE = '.wh..wh..opq';

export function whiteoutOf(step: string): Whiteout {
  if (!step.startsWith(PREFIX)) return { kind: 'none' };
  if (step === OPAQUE) return { kind: 'opaque' };
  if (step.startsWith(SPECIAL)) return { kind: 'ignored' };
  const name = step.slice(PREFIX.length);
  if (name === '' || name === '.' || climbs(name))
    throw new LayerProblem(`${quote(step)} removes nothing that is there`);
  return { kind: 'removes', name };
}

/** For a message: short, and without letters that would move a terminal's cursor. */
export function quote(name: string): string {
  const shown = name.replace(/[^\x20-\x7e]/g, '?');
  return `"${shown.length > 80 ? `${shown.slice(0, 80)}…` : shown}"`;
}
