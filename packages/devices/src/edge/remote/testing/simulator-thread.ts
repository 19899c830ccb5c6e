/** For tests: a thread as the bundle makes one, from source. */
import { runDriverThread } from '../driver-thread.ts';

await runDriverThread();
