import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { fakeClock } from '@skerry/testkit';
import { jsonLogger } from './log.ts';
import { runService, type Service, STOP_LIMIT_MS } from './service-process.ts';

interface World {
  readonly host: EventEmitter & { connected?: boolean; readonly stderr: EventEmitter };
  readonly starting: PromiseWithResolvers<void>;
  readonly stopping: PromiseWithResolvers<void>;
  readonly happened: string[];
  readonly logged: string[];
  readonly advance: (ms: number) => Promise<void>;
}

async function check(act: (world: World) => Promise<void> | void, happened: readonly string[]) {
  const clock = fakeClock();
  const world: World = {
    host: Object.assign(new EventEmitter(), {
      stderr: new EventEmitter(),
      send: (facts: object) => world.happened.push(`told ${JSON.stringify(facts)}`),
      exit: (code: number) => world.happened.push(`exit ${code}`),
      connected: true,
    }),
    starting: Promise.withResolvers<void>(),
    stopping: Promise.withResolvers<void>(),
    happened: [],
    logged: [],
    advance: (ms) => clock.advance(ms),
  };
  const service: Service = {
    facts: { a: 'b' },
    stop: async () => {
      world.happened.push('stop');
      await world.stopping.promise;
    },
    stopAll: async () => {
      world.happened.push('stop all');
    },
  };
  const log = jsonLogger({ write: (line) => void world.logged.push(line), now: () => clock.now() });
  const asksForAll = (message: unknown) => message === 'all';
  const running = runService({ host: world.host as never, clock, log, asksForAll }, async () => {
    await world.starting.promise;
    return service;
  });
  await act(world);
  world.starting.resolve();
  await running;
  await clock.settle();
  assert.deepEqual(world.happened, happened);
}

const started = async ({ starting, advance }: World) => {
  starting.resolve();
  await advance(0);
};

test('a service says when it is ready, and a signal stops it', () =>
  check(
    async (world) => {
      await started(world);
      world.host.emit('SIGTERM');
      world.stopping.resolve();
    },
    ['told {"a":"b"}', 'stop', 'exit 0'],
  ));

test('a signal while it starts stops it as soon as it has started', () =>
  check(
    ({ host, stopping }) => {
      host.emit('SIGTERM');
      stopping.resolve();
    },
    ['stop', 'exit 0'],
  ));

test('a second signal does not wait', () =>
  check(
    async (world) => {
      await started(world);
      world.host.emit('SIGTERM');
      world.host.emit('SIGINT');
    },
    ['told {"a":"b"}', 'stop', 'exit 1'],
  ));

test('a stop that hangs is given up, one that fails is told', async () => {
  await check(
    async (world) => {
      await started(world);
      world.host.emit('SIGTERM');
      await world.advance(STOP_LIMIT_MS);
      assert.match(world.logged.join(''), /not stopped in time/);
    },
    ['told {"a":"b"}', 'stop', 'exit 1'],
  );
  await check(
    async (world) => {
      await started(world);
      world.host.emit('SIGTERM');
      world.stopping.reject(new Error('no'));
      await world.advance(0);
      assert.match(world.logged.join(''), /not stopped in order/);
    },
    ['told {"a":"b"}', 'stop', 'exit 1'],
  );
});

test('a message may ask for all to be stopped, once, and before the start is over', async () => {
  await check(
    async (world) => {
      await started(world);
      world.host.emit('message', 'something');
      world.host.emit('message', 'all');
      world.host.emit('message', 'all');
    },
    ['told {"a":"b"}', 'stop all', 'exit 0'],
  );
  await check(({ host }) => void host.emit('message', 'all'), ['stop all', 'exit 0']);
});

test('it ends with whoever started it, also when that one goes while it starts', async () => {
  await check(
    async (world) => {
      await started(world);
      world.host.connected = false;
      world.host.emit('disconnect');
      world.stopping.resolve();
    },
    ['told {"a":"b"}', 'stop', 'exit 0'],
  );
  await check(
    ({ host, stopping }) => {
      host.connected = false;
      host.emit('disconnect');
      stopping.resolve();
    },
    ['stop', 'exit 0'],
  );
});

test('a stray rejection is told and ends nothing, nor does a log that cannot be written', () =>
  check(
    async (world) => {
      await started(world);
      world.host.emit('unhandledRejection', new Error('stray'));
      world.host.stderr.emit('error', new Error('ENOSPC'));
      assert.match(world.logged.join(''), /nobody listened.*stray/);
    },
    ['told {"a":"b"}'],
  ));
