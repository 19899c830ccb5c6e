/** Which unused images go from a disk that is nearly full: the longest unused first, as kubelets do by default. Pure. */

/** Begin when this much of the disk is used, and go on until less than that is. */
const HIGH_WATERMARK = 0.85;
const LOW_WATERMARK = 0.8;
/** An image that came for a pod is not used yet. */
export const MIN_UNUSED_MS = 120_000;

export interface Disk {
  readonly totalBytes: number;
  readonly usedBytes: number;
}

export interface UnusedImage {
  readonly id: string;
  readonly size: number;
  /** When it was first seen without a user. */
  readonly since: number;
}

/** What must go. Pure. */
export function planCollection(
  now: number,
  { totalBytes, usedBytes }: Disk,
  unused: readonly UnusedImage[],
): UnusedImage[] {
  if (usedBytes < totalBytes * HIGH_WATERMARK) return [];
  let excess = usedBytes - totalBytes * LOW_WATERMARK;
  const removed: UnusedImage[] = [];
  for (const image of unused.toSorted((one, other) => one.since - other.since)) {
    if (excess <= 0 || now - image.since < MIN_UNUSED_MS) break;
    removed.push(image);
    excess -= image.size;
  }
  return removed;
}
