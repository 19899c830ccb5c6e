/** What the threads of the data worker run: a bundle apart, so that none of them reads and keeps what only the worker itself needs. */
import { parentPort, workerData } from 'node:worker_threads';
import { runMetronome } from '../../control/metronome-thread.ts';
import { runDriverThread } from '../../remote/driver-thread.ts';

const { metronome } = workerData as { readonly metronome?: Int32Array };
// What fails here ends the thread, with the error that the worker hears.
if (metronome === undefined || parentPort === null) void runDriverThread();
else runMetronome(parentPort, metronome);
