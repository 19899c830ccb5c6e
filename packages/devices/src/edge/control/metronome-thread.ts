/** What the thread of a metronome runs. */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import { machineTime, type Ring } from './metronome.ts';

/** Sleeps until the next moment or until there is word of another one; never returns. `bell` counts the words. */
export function runMetronome(port: MessagePort, bell: Int32Array): never {
  const due = new Map<number, number>();
  for (;;) {
    const heard = Atomics.load(bell, 0);
    for (let word = receiveMessageOnPort(port); word !== undefined; word = receiveMessageOnPort(port)) {
      const { id, at } = word.message as Ring;
      due.set(id, at);
    }
    const now = machineTime();
    for (const [id, at] of due) {
      if (at > now) continue;
      due.delete(id);
      port.postMessage(id);
    }
    Atomics.wait(bell, 0, heard, Math.min(...due.values()) - machineTime());
  }
}
