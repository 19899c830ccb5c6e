/** For tests: the thread as the bundle makes it, from source. */
import { parentPort, workerData } from 'node:worker_threads';
import { runMetronome } from '../metronome-thread.ts';

if (parentPort !== null) runMetronome(parentPort, (workerData as { readonly metronome: Int32Array }).metronome);
