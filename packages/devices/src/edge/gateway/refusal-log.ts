/** The certificates that were refused lately, the newest first, each once: what the status shows. */
import type { RejectedCertificate } from '../../resources/trust-list.ts';

export interface RefusalLog {
  add(rejected: RejectedCertificate): void;
  list(): readonly RejectedCertificate[];
}

/** A stranger who makes certificates without end pushes out others, and takes no more memory. */
const MAX_KEPT = 32;

export function createRefusalLog(onChange: () => void): RefusalLog {
  let kept: readonly RejectedCertificate[] = [];
  return {
    add: (rejected) => {
      const others = kept.filter(({ thumbprint }) => thumbprint !== rejected.thumbprint);
      kept = [rejected, ...others].slice(0, MAX_KEPT);
      onChange();
    },
    list: () => kept,
  };
}
