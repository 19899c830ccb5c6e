/** For tests: what a sink needs, at a node with neither devices nor a store. */
import { silentLogger } from '@skerry/base';
import { fakeClock } from '@skerry/testkit';
import { createBus, LastValues, SeriesTable } from '../../contract/index.ts';
import type { SinkContext } from '../sinks/sink.ts';

const MAX_WAITING = 10;

export function sinkContext(own: Pick<SinkContext, 'sink'> & Partial<SinkContext>): SinkContext {
  return {
    namespace: 'default',
    rule: 'r',
    clock: fakeClock(),
    log: silentLogger,
    random: Math.random,
    folder: '.',
    secret: {},
    values: {
      bus: createBus(),
      series: new SeriesTable(),
      last: new LastValues(),
      devices: () => [],
      onDevices: () => () => {},
      write: async () => ({}),
    },
    store: () => Promise.reject(new Error('there is no store')),
    maxWaiting: MAX_WAITING,
    saved: undefined,
    ...own,
  };
}
