/** For tests: a driver's thread that falls over its own feet when it is told so. */
import { runDriverThread } from '../driver-thread.ts';

const channel = new BroadcastChannel('crash-of-a-driver');
channel.addEventListener('message', () => {
  throw new Error('a mistake in the driver');
});

await runDriverThread();
