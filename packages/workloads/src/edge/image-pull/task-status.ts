/** The status of an ImagePullTask from the states of its images. Pure. */
import type { ImagePullTaskStatus, PullPhase, PullState } from '../../image-kinds/index.ts';

/** In a status; the rest is in the node's log. */
const MAX_MESSAGE_LENGTH = 512;

export function taskStatus(generation: number, images: readonly PullState[]): ImagePullTaskStatus {
  const phase = phaseOf(images);
  const reason = images.find((state) => state.reason !== undefined && state.phase !== 'Pulled')?.reason;
  return {
    observedGeneration: generation,
    phase,
    progress: `${Math.floor(100 * shareOf(images))}%`,
    ...(reason === undefined ? {} : { reason }),
    images: images.map(shortened),
  };
}

/** Ended are those that are there and those that never will be. */
function phaseOf(images: readonly PullState[]): PullPhase {
  const has = (phase: PullPhase) => images.some((state) => state.phase === phase);
  if (has('Pulling') || (has('Pending') && (has('Pulled') || has('Failed')))) return 'Pulling';
  if (has('Pending')) return 'Pending';
  return has('Failed') ? 'Failed' : 'Pulled';
}

/** Each image counts alike: how large one is, is known only once it has begun. */
function shareOf(images: readonly PullState[]): number {
  const shares = images.map(({ phase, presentBytes = 0, totalBytes = 0 }) => {
    if (phase === 'Pulled') return 1;
    return totalBytes === 0 ? 0 : Math.min(1, presentBytes / totalBytes);
  });
  return shares.reduce((sum, share) => sum + share, 0) / Math.max(1, images.length);
}

function shortened({ message, ...state }: PullState): PullState {
  return message === undefined ? state : { ...state, message: message.slice(0, MAX_MESSAGE_LENGTH) };
}
