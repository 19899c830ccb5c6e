/** The runtime writes the logs and never cuts them: we do, and tell it to go on in a new file. */
import { stat } from 'node:fs/promises';
import { messageOf } from '@skerry/base';
import { rotateFiles } from '../../supervisor/cri-log.ts';
import type { ContainerSnapshot } from '../runtime.ts';
import type { ContainersOptions } from './containers.ts';

const LOOK_MS = 10_000;

export interface RotationLimits {
  readonly maxBytes: number;
  readonly maxFiles: number;
}

/** Looks at the logs of what runs until `signal` aborts. */
export async function rotateLogs(
  { cri, clock, log }: ContainersOptions,
  running: () => readonly ContainerSnapshot[],
  { maxBytes, maxFiles }: RotationLimits,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await clock.sleep(LOOK_MS, signal).catch(() => {});
    for (const { id, logPath } of signal.aborted ? [] : running()) {
      try {
        const { size } = await stat(logPath);
        if (size <= maxBytes) continue;
        rotateFiles({ path: logPath, maxBytes, maxFiles });
        await cri.call('ReopenContainerLog', { id });
      } catch (error) {
        log.debug({ id, error: messageOf(error) }, 'log not rotated');
      }
    }
  }
}
