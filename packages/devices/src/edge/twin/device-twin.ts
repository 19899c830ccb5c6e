/** The twin of one device: takes up what is wanted of it, writes it once, and says what became of it. */
import { type Clock, type Logger, messageOf, type Timer } from '@skerry/base';
import { checkDesired } from '../../models/validate-device.ts';
import type { WriteStatus } from '../../resources/device-status.ts';
import { type Value, valueFromJson } from '../../values/value.ts';
import type { LiveDevice } from '../worker/live-device.ts';
import { confirm, type Finding, writeOnce } from './confirm.ts';
import type { WriteOutcome, WriteRequest } from './door.ts';
import {
  afterSend,
  type Holder,
  nextStep,
  type PropertyTwin,
  refusalOfLocal,
  type Step,
  type Taken,
  type TwinRecord,
  type Wish,
} from './property-twin.ts';
import { surroundingsOf } from './surroundings.ts';
import { versionOf, wishesOf } from './wishes.ts';
import type { WriteLedger } from './write-ledger.ts';

export interface DeviceTwinContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly ledger: WriteLedger;
  readonly holdersOf: (property: string) => ReadonlySet<Holder> | undefined;
  /** By property: what the status is to say of writes, and within what time. */
  readonly onStatus: (writes: WriteStatuses, withinMs: number) => void;
}

type Wishes = ReadonlyMap<string, Wish>;
type WriteStatuses = Readonly<Record<string, WriteStatus | null>>;

/** A device that may have a value and could not be asked is asked again after so long. */
const ASK_AGAIN_MS = 1000;
/** That a write is under way is told only when it takes longer than most: the result is what everybody waits for. */
const PROGRESS_MS = 100;

/** Invariant: what is sent is in the ledger before the device hears of it, and nothing that is in the ledger is sent. */
export class DeviceTwin {
  readonly #context: DeviceTwinContext;
  readonly #uid: string;
  readonly #records: Map<string, TwinRecord>;
  /** Wishes whose writing goes on, by property; a later one of the same property waits for its end. */
  readonly #underway = new Map<string, string>();
  readonly #closing = new AbortController();
  #device: LiveDevice;
  #wishes: ReadonlyMap<string, Wish> = new Map();
  #seen: LiveDevice['device'] | undefined;
  #wasConnected = false;
  /** Something has changed that may be a reason to act. */
  #isDue = true;
  #timer: Timer | undefined;
  /** By property, as text. */
  #told = new Map<string, string>();

  constructor(device: LiveDevice, context: DeviceTwinContext) {
    this.#context = context;
    this.#device = device;
    this.#uid = device.device.metadata.uid ?? '';
    this.#records = new Map(context.ledger.read(this.#uid));
  }

  /** The device as it is now. Cheap when nothing has changed that matters here. */
  look(device: LiveDevice): void {
    this.#device = device;
    if (this.#seen === device.device && this.#wasConnected === device.isConnected && !this.#isDue) return;
    if (this.#seen !== device.device) this.#takeWishes(device);
    this.#wasConnected = device.isConnected;
    this.#isDue = false;
    if (this.#wishes.size > 0) this.#advance();
    this.#tell();
  }

  close(): void {
    this.#closing.abort();
    this.#timer?.cancel();
  }

  async writeLocal({ by, values, until = 'Confirmed' }: WriteRequest, signal: AbortSignal) {
    const now = this.#context.clock.now();
    const outcomes = new Map<string, WriteOutcome>();
    const wishes = new Map<string, Wish>();
    for (const [property, value] of Object.entries(values)) {
      const wish = { version: versionOf([value, by], new Date(now).toISOString()), value, at: now, by };
      const refusal = this.#refusalOfLocal(property, wish);
      if (refusal === undefined) wishes.set(property, wish);
      else outcomes.set(property, outcomeOf(refusal, now));
    }
    if (until === 'Confirmed') this.#remember(wishes);
    // A desired value may have waited for its end.
    const findings = await this.#write(wishes, until, signal).finally(() => this.lookAgain());
    for (const [property, finding] of findings) {
      if (finding.result === 'Rejected' && until === 'Confirmed') this.#forgetLocal(property, wishes.get(property));
      outcomes.set(property, outcomeOf(settledFinding(finding), this.#context.clock.now()));
    }
    return Object.fromEntries(outcomes);
  }

  #refusalOfLocal(property: string, wish: Wish): Finding | undefined {
    const invalid = this.#problemOf(property, wish.value);
    if (invalid !== undefined) return { result: 'Rejected', reason: invalid };
    const refusal = refusalOfLocal(this.#twinOf(property), wish, wish.at);
    if (refusal !== undefined)
      return { result: refusal.state === 'Superseded' ? 'Superseded' : 'Rejected', reason: refusal.reason };
    return this.#device.isConnected ? undefined : { result: 'Rejected', reason: 'the device is not connected' };
  }

  /** Every property that has something to do; those that can be sent go in one write. */
  #advance(): void {
    const around = surroundingsOf(this.#device, this.#context.clock.now());
    const changed = new Map<string, Taken>();
    const sends = new Map<string, Wish>();
    const verifies = new Map<string, Wish>();
    let until = Number.POSITIVE_INFINITY;
    for (const property of this.#wishes.keys()) {
      if (this.#underway.has(property)) continue;
      const step = this.#stepOf(property, around);
      if (step.do === 'wait') until = Math.min(until, step.until ?? until);
      if (step.do === 'verify') verifies.set(property, step.wish);
      if (step.do === 'send') sends.set(property, step.wish);
      if ('taken' in step && step.taken !== this.#records.get(property)?.taken) changed.set(property, step.taken);
    }
    this.#note(changed);
    this.#wakeAt(until);
    if (sends.size > 0) void this.#settle(sends, () => this.#write(sends, 'Confirmed', this.#closing.signal));
    if (verifies.size > 0) void this.#settle(verifies, () => this.#verify(verifies));
  }

  #stepOf(property: string, around: ReturnType<typeof surroundingsOf>): Step {
    const step = nextStep(this.#twinOf(property), around);
    if (step.do !== 'send') return step;
    const { version, value } = step.wish;
    const problem = this.#problemOf(property, value);
    if (problem === undefined) return step;
    return { do: 'settle', taken: { version, state: 'Rejected', reason: problem, time: around.now } };
  }

  #twinOf(property: string): PropertyTwin {
    const rule = this.#device.point(property)?.visitor.writeRule ?? 'cloud-wins';
    const desired = this.#wishes.get(property);
    const holders = this.#context.holdersOf(property);
    return {
      ...this.#records.get(property),
      rule,
      ...(desired === undefined ? {} : { desired }),
      ...(holders === undefined ? {} : { holders }),
    };
  }

  #problemOf(property: string, value: unknown): string | undefined {
    const { model } = this.#device;
    if (this.#device.point(property) === undefined) return `the device has no visitor for ${property}`;
    const [problem] = checkDesired(model.properties.get(property), value, property, property);
    return problem?.message;
  }

  async #settle(wishes: Wishes, work: () => Promise<ReadonlyMap<string, Finding>>): Promise<void> {
    const { clock, log } = this.#context;
    try {
      const findings = await work();
      if (this.#closing.signal.aborted) return;
      const current = [...wishes].filter(([property, { version }]) => this.#wishes.get(property)?.version === version);
      const now = clock.now();
      const found = current.flatMap(([property, { version }]) => takenOf(property, version, findings, now));
      // Lost with the power, it is asked of the device again: what was sent is on disk.
      this.#note(new Map(found), 'note');
      if ([...findings.values()].every(({ result }) => result !== 'Unknown')) return this.lookAgain();
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      log.warn({ error: messageOf(error) }, 'write not followed to its end');
    }
    // What was sent is in the ledger, and is asked for when the device can be asked.
    this.#wakeAt(clock.now() + ASK_AGAIN_MS);
  }

  async #write(
    wishes: Wishes,
    until: WriteRequest['until'],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Finding>> {
    if (wishes.size === 0) return new Map();
    const context = this.#contextOf(wishes, signal);
    const values = this.#valuesOf(wishes);
    for (const [property, { version }] of wishes) this.#underway.set(property, version);
    try {
      const sent = await writeOnce(this.#device, values, context);
      return until === 'Acknowledged' ? sent : await confirm(this.#device, values, sent, context);
    } finally {
      this.#release(wishes);
    }
  }

  /** After a kill or a lost connection in the midst of a write: asked, never sent again. */
  async #verify(wishes: Wishes): Promise<ReadonlyMap<string, Finding>> {
    for (const [property, { version }] of wishes) this.#underway.set(property, version);
    try {
      const sent = new Map([...wishes.keys()].map((property) => [property, UNCERTAIN]));
      const context = this.#contextOf(wishes, this.#closing.signal);
      return await confirm(this.#device, this.#valuesOf(wishes), sent, context);
    } finally {
      this.#release(wishes);
    }
  }

  /** A value is waited for until another one of the same property is under way, or something else is desired. */
  #contextOf(wishes: Wishes, signal: AbortSignal) {
    const desired = new Map([...wishes.keys()].map((property) => [property, this.#wishes.get(property)?.version]));
    const isWanted = (property: string) =>
      this.#underway.get(property) === wishes.get(property)?.version &&
      this.#wishes.get(property)?.version === desired.get(property);
    return { clock: this.#context.clock, signal: AbortSignal.any([signal, this.#closing.signal]), isWanted };
  }

  #release(wishes: Wishes): void {
    for (const [property, { version }] of wishes)
      if (this.#underway.get(property) === version) this.#underway.delete(property);
  }

  #valuesOf(wishes: Wishes): ReadonlyMap<string, Value> {
    const { properties } = this.#device.model;
    return new Map(
      [...wishes].flatMap(([property, { value }]) => {
        const declared = properties.get(property);
        return declared === undefined ? [] : [[property, valueFromJson(declared.valueType, value)] as const];
      }),
    );
  }

  #note(taken: ReadonlyMap<string, Taken>, how: 'write' | 'note' = 'write'): void {
    const records = new Map<string, TwinRecord>();
    for (const [property, each] of taken) {
      const twin = this.#twinOf(property);
      const local = each.state === 'Sending' ? afterSend(twin) : twin.local;
      records.set(property, { taken: each, ...(local === undefined ? {} : { local }) });
    }
    this.#save(records, how);
  }

  #remember(wishes: Wishes): void {
    this.#save(new Map([...wishes].map(([property, local]) => [property, { ...this.#records.get(property), local }])));
  }

  #forgetLocal(property: string, wish: Wish | undefined): void {
    const { local, ...rest } = this.#records.get(property) ?? {};
    if (local?.version === wish?.version) this.#save(new Map([[property, rest]]));
  }

  #save(records: ReadonlyMap<string, TwinRecord>, how: 'write' | 'note' = 'write'): void {
    if (records.size === 0) return;
    this.#context.ledger[how](this.#uid, records);
    for (const [property, record] of records) this.#records.set(property, record);
    this.#tell();
  }

  #takeWishes({ device }: LiveDevice): void {
    this.#seen = device;
    this.#wishes = wishesOf(device);
    // Wishes that were taken back leave no trace but the local write that stands.
    const gone = [...this.#records].filter(
      ([property, { taken }]) => taken !== undefined && !this.#wishes.has(property),
    );
    this.#save(new Map(gone.map(([property, { taken: _taken, ...rest }]) => [property, rest])));
  }

  #wakeAt(time: number): void {
    this.#timer?.cancel();
    if (!Number.isFinite(time)) return;
    const { clock } = this.#context;
    this.#timer = clock.after(Math.max(1, time - clock.now()), () => this.lookAgain(), { unref: true });
  }

  /** Something has changed that the device does not show. */
  lookAgain(): void {
    if (this.#closing.signal.aborted) return;
    this.#isDue = true;
    this.look(this.#device);
  }

  #tell(): void {
    const shown = Object.keys(this.#device.device.status?.writes ?? {});
    const gone = shown.filter((property) => !this.#wishes.has(property)).map((property) => [property, null] as const);
    const known = [...this.#wishes].map(([property, wish]) => [property, this.#statusOf(property, wish)] as const);
    const writes = [...gone, ...known];
    const told = new Map(writes.map(([property, status]) => [property, JSON.stringify(status)]));
    const changed = [...told].filter(([property, text]) => this.#told.get(property) !== text);
    if (changed.length === 0 && told.size === this.#told.size) return;
    this.#told = told;
    const isProgress = changed.length > 0 && changed.every(([property]) => this.#isUnderWay(property));
    this.#context.onStatus(Object.fromEntries(writes), isProgress ? PROGRESS_MS : 0);
  }

  #isUnderWay(property: string): boolean {
    const taken = this.#records.get(property)?.taken;
    const isSending = taken?.state === 'Sending' && taken.version === this.#wishes.get(property)?.version;
    return isSending || this.#underway.has(property);
  }

  #statusOf(property: string, { version, value, at }: Wish): WriteStatus {
    const taken = this.#records.get(property)?.taken;
    const wanted = { version, value, ...(at === 0 ? {} : { at: new Date(at).toISOString() }) };
    if (taken?.version !== version) return { result: 'Pending', ...wanted };
    const { state, reason, time } = taken;
    return {
      result: state === 'Sending' ? 'Pending' : state,
      ...(reason === undefined ? {} : { reason }),
      time: new Date(time).toISOString(),
      ...wanted,
    };
  }
}

const UNCERTAIN: Finding = { result: 'TimedOut', reason: 'it is not known whether it was written' };

/** Nothing, when only a device that is back can tell. */
function takenOf(
  property: string,
  version: string,
  findings: ReadonlyMap<string, Finding>,
  time: number,
): readonly (readonly [string, Taken])[] {
  const { result, reason } = findings.get(property) ?? UNCERTAIN;
  if (result === 'Unknown') return [];
  return [[property, { version, state: result, time, ...(reason === undefined ? {} : { reason }) }]];
}

function settledFinding(finding: Finding): Finding {
  return finding.result === 'Unknown' ? { ...finding, result: 'TimedOut' } : finding;
}

function outcomeOf({ result, reason }: Finding, now: number): WriteOutcome {
  return {
    result: result === 'Unknown' ? 'TimedOut' : result,
    ...(reason === undefined ? {} : { reason }),
    time: new Date(now).toISOString(),
  };
}
