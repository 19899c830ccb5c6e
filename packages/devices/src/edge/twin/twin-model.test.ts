/** The twin against everything that happens to it: wishes, local writes, cuts, kills, lost power and a device that is slow and loses answers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { type FakeClock, fakeClock } from '@skerry/testkit';
import fc from 'fast-check';
import { resolveModel } from '../../models/resolve-model.ts';
import type { Device, WriteRule } from '../../resources/device.ts';
import type { WriteStatus } from '../../resources/device-status.ts';
import { compileCodec } from '../../values/codec.ts';
import type { Value } from '../../values/value.ts';
import { DriverError } from '../driver-error.ts';
import type { PlannedPoint } from '../worker/device-plan.ts';
import type { LiveDevice } from '../worker/live-device.ts';
import { DeviceTwin } from './device-twin.ts';
import type { TwinRecord } from './property-twin.ts';
import { openWriteLedger, type WriteLedger } from './write-ledger.ts';

const MODEL = {
  apiVersion: 'devices.skerry.io/v1alpha1',
  kind: 'DeviceModel',
  metadata: { name: 'model' },
  spec: { properties: [{ name: 'limit', type: 'int32', access: 'ReadWrite' as const }] },
};

type Action =
  | { readonly do: 'desire'; readonly value: number; readonly force?: boolean }
  | { readonly do: 'unwish' }
  | { readonly do: 'local'; readonly value: number }
  | { readonly do: 'cut' | 'mend' | 'kill' | 'power loss' }
  /** The device keeps the next writes to itself: they arrive, and nobody hears of it. */
  | { readonly do: 'mute'; readonly isMute: boolean }
  | { readonly do: 'slow'; readonly delayMs: number }
  | { readonly do: 'wait'; readonly ms: number };

const actions: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('desire' as const), value: fc.integer({ min: 0, max: 3 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('desire' as const),
      value: fc.integer({ min: 4, max: 7 }),
      force: fc.constant(true),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'unwish' as const }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('local' as const), value: fc.integer({ min: 10, max: 13 }) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('cut' as const, 'mend' as const, 'kill' as const, 'power loss' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('mute' as const), isMute: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('slow' as const), delayMs: fc.integer({ min: 0, max: 300 }) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 2000 }) }) },
);

/** A ledger whose disk takes as long as it may: what was only noted goes with the power. */
class LazyLedger implements WriteLedger {
  readonly #disk = openWriteLedger(':memory:');
  #noted = new Map<string, TwinRecord>();

  read(device: string): ReadonlyMap<string, TwinRecord> {
    return new Map([...this.#disk.read(device), ...this.#noted]);
  }

  write(device: string, records: ReadonlyMap<string, TwinRecord>): void {
    this.#disk.write(device, new Map([...this.#noted, ...records]));
    this.#noted.clear();
  }

  note(_device: string, records: ReadonlyMap<string, TwinRecord>): void {
    this.#noted = new Map([...this.#noted, ...records]);
  }

  loseNotes(): void {
    this.#noted.clear();
  }

  forget(device: string): void {
    this.#disk.forget(device);
  }

  close(): void {
    this.#disk.close();
  }
}

/** A device with one number, and everything that was ever written to it. */
class World implements LiveDevice {
  readonly namespace = 'default';
  readonly name = 'tank';
  readonly model: LiveDevice['model'];
  readonly points: readonly PlannedPoint[];
  readonly clock: FakeClock = fakeClock();
  readonly ledger = new LazyLedger();
  readonly written: {
    readonly value: number;
    readonly version: string | undefined;
    readonly wish: string;
    isForced: boolean;
  }[] = [];
  device: Device;
  isConnected = true;
  readonly lastGoodAt = undefined;
  value = -1;
  isMute = false;
  delayMs = 0;
  status: Readonly<Record<string, WriteStatus | null>> = {};
  readonly told: (readonly [result: string | undefined, withinMs: number])[] = [];
  twin: DeviceTwin;
  /** Ends with the process. */
  process = new AbortController();
  #wishes = 0;

  constructor(rule: WriteRule) {
    const model = resolveModel('model', () => MODEL);
    const property = typeof model === 'string' ? undefined : model.properties.get('limit');
    if (typeof model === 'string' || property === undefined) throw new Error('no model');
    this.model = model;
    const { valueType: type } = property;
    const visitor = { property: 'limit', address: {}, writeRule: rule };
    const point = { property: 'limit', address: {}, type, encoding: {}, size: 4 };
    this.points = [{ point, property, visitor, codec: compileCodec(type, undefined), series: 0 }];
    this.device = this.#deviceWith({});
    this.twin = this.#newTwin();
  }

  #deviceWith(desired: NonNullable<Device['spec']['desired']>): Device {
    return {
      apiVersion: 'devices.skerry.io/v1alpha1',
      kind: 'Device',
      metadata: { name: 'tank', namespace: 'default', uid: 'one' },
      spec: { model: { name: 'model' }, protocol: 'simulator', desired },
    };
  }

  #newTwin(): DeviceTwin {
    const { clock, ledger } = this;
    const onStatus = (writes: World['status'], withinMs: number) => {
      this.status = writes;
      this.told.push([writes['limit']?.result, withinMs]);
    };
    return new DeviceTwin(this, { clock, ledger, log: silentLogger, onStatus, holdersOf: () => undefined });
  }

  readonly condition = { state: 'Connected', lastError: '', counters: {} } as const;

  point(property: string): PlannedPoint | undefined {
    return property === 'limit' ? this.points[0] : undefined;
  }

  async write(values: ReadonlyMap<string, Value>, signal: AbortSignal) {
    const { process } = this;
    const value = Number(values.get('limit'));
    const { at, force = false } = (value < 10 ? this.device.spec.desired?.['limit'] : undefined) ?? {};
    this.written.push({ value, version: at, isForced: force, wish: this.status['limit']?.result ?? 'None' });
    this.value = value;
    await this.clock.sleep(this.delayMs, AbortSignal.any([signal, process.signal])).catch(() => {});
    if (process.signal.aborted) return new Promise<never>(() => {});
    const lost = !this.isConnected || this.isMute;
    return new Map([['limit', lost ? new DriverError('Unreachable', 'cut') : undefined]]);
  }

  async readBack() {
    const { process } = this;
    await this.clock.sleep(this.delayMs).catch(() => {});
    if (process.signal.aborted) return new Promise<never>(() => {});
    return new Map([['limit', this.isConnected ? this.value : new DriverError('Unreachable', 'cut')]]);
  }

  history(): Promise<never> {
    return Promise.reject(new DriverError('Unsupported', 'no history'));
  }

  call(): Promise<never> {
    return Promise.reject(new DriverError('Unsupported', 'no commands'));
  }

  async act(action: Action): Promise<void> {
    switch (action.do) {
      case 'desire': {
        this.#wishes++;
        const at = new Date(this.clock.now() + this.#wishes).toISOString();
        const { value, force = false } = action;
        this.device = this.#deviceWith({ limit: { value, at, force } });
        break;
      }
      case 'unwish':
        this.device = this.#deviceWith({});
        break;
      case 'local': {
        const request = { namespace: 'default', device: 'tank', by: 'panel', values: { limit: action.value } };
        void this.twin.writeLocal(request, this.process.signal).catch(() => {});
        break;
      }
      case 'cut':
        this.isConnected = false;
        break;
      case 'mend':
        this.isConnected = true;
        break;
      case 'mute':
        this.isMute = action.isMute;
        break;
      case 'slow':
        this.delayMs = action.delayMs;
        break;
      case 'kill':
      case 'power loss':
        if (action.do === 'power loss') this.ledger.loseNotes();
        this.process.abort();
        this.twin.close();
        this.process = new AbortController();
        this.twin = this.#newTwin();
        break;
      case 'wait':
        await this.clock.advance(action.ms);
        break;
    }
    this.twin.look(this);
    await this.clock.settle();
  }

  /** The sea is calm, and everything has had its time. */
  async rest(): Promise<void> {
    for (const action of [{ do: 'mend' }, { do: 'mute', isMute: false }, { do: 'slow', delayMs: 0 }] as const)
      await this.act(action);
    for (let second = 0; second < 30; second++) await this.clock.advance(1000);
  }
}

async function check(rule: WriteRule, holds: (world: World) => void): Promise<void> {
  const story = async (list: readonly Action[]) => {
    const world = new World(rule);
    for (const action of list) await world.act(action);
    await world.rest();
    holds(world);
    world.twin.close();
    world.ledger.close();
  };
  await fc.assert(fc.asyncProperty(fc.array(actions, { maxLength: 25 }), story), { numRuns: 150 });
}

function assertNothingTwice({ written }: World): void {
  const versions = written.flatMap(({ version }) => version ?? []);
  assert.equal(new Set(versions).size, versions.length, `written twice: ${versions.join(', ')}`);
}

/** Every wish comes to an end, and one that is Confirmed and was written last is what the device has. */
function assertSettled({ device, status, written, value }: World): void {
  const wish = device.spec.desired?.['limit'];
  if (wish === undefined) return;
  const write = status['limit'];
  assert.notEqual(write?.result ?? 'Pending', 'Pending');
  if (write?.result === 'Confirmed' && written.at(-1)?.version === wish.at) assert.equal(value, wish.value);
}

for (const rule of ['cloud-wins', 'edge-wins', 'last-writer'] as const)
  test(`${rule}: no wish is written twice, and each comes to its end, whatever happens meanwhile`, () =>
    check(rule, (world) => {
      assertNothingTwice(world);
      assertSettled(world);
    }));

test('edge-wins: after a local write nothing that the cloud wants is written, until it forces something', () =>
  check('edge-wins', ({ written }) => {
    let isHeld = false;
    for (const { version, isForced } of written) {
      assert.ok(version === undefined || isForced || !isHeld, `${version} was written over a local write`);
      isHeld = version === undefined;
    }
  }));

test('cloud-wins: while a desired value is confirmed or under way no local write gets through', () =>
  check('cloud-wins', ({ written }) => {
    const local = written.filter(({ version }) => version === undefined);
    assert.deepEqual(
      local.filter(({ wish }) => wish === 'Confirmed' || wish === 'Pending'),
      [],
    );
  }));

test('what becomes of a wish is told at once, that it is under way only to who waits longer', async () => {
  const world = new World('cloud-wins');
  await world.act({ do: 'desire', value: 1 });
  await world.act({ do: 'wait', ms: 1 });
  assert.deepEqual(world.told, [
    ['Pending', 100],
    ['Confirmed', 0],
  ]);
  await world.act({ do: 'cut' });
  await world.act({ do: 'desire', value: 2 });
  assert.deepEqual(world.told.at(-1), ['Pending', 0], 'it waits for the device');
  world.twin.close();
  world.ledger.close();
});
