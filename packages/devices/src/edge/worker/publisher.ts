/** Puts single values together into batches and those on the bus: at once when full, else as soon as nothing more is at hand. */
import type { Clock } from '@skerry/base';
import { BatchBuilder, type Bus } from '@skerry/streams/contract';
import { type Value, valueToBus } from '../../values/value.ts';

export interface Publisher {
  add(series: number, time: number, value: Value, quality: number): void;
  /** What was added is on the bus when this returns. */
  flush(): void;
}

export function createPublisher(clock: Clock, bus: Bus): Publisher {
  const builder = new BatchBuilder();
  let isScheduled = false;
  const flush = () => {
    const batch = builder.take();
    if (batch !== undefined) bus.publish(batch);
  };
  const onTimer = () => {
    isScheduled = false;
    flush();
  };
  return {
    flush,
    add: (series, time, value, quality) => {
      builder.add(series, time, valueToBus(value), quality);
      if (builder.isFull) flush();
      if (isScheduled) return;
      isScheduled = true;
      clock.after(0, onTimer, { unref: true });
    },
  };
}
