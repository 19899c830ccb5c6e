/** Keeps what rules know on disk: of those that read each other at one moment, all or none; of the others each by itself. */
import { deserialize, serialize } from 'node:v8';
import { type Clock, type Logger, messageOf } from '@skerry/base';
import type { PreparedRule } from '../engine/rule/prepare.ts';
import type { Checkpoints } from './checkpoints.ts';
import type { RuleRunner, SavedRule } from './rule-runner.ts';
import { giveBack, type SavedZones, zonesIn } from './saved-zones.ts';

export interface Saveable {
  readonly runner: RuleRunner;
  /** Of the rule: another one of the same name knows nothing of it. */
  readonly uid: string;
  /** Monotonic. */
  savedAt: number;
}

export interface RuleSaverOptions {
  readonly checkpoints: Checkpoints;
  readonly clock: Clock;
  readonly log: Logger;
  /** What is on the bus by now is safe when it returns; throws when it cannot be. */
  readonly settle: () => void;
}

interface Checkpoint {
  readonly uid: string;
  readonly rule: SavedRule;
  readonly zones?: SavedZones;
}

type States = ReadonlyMap<RuleRunner, Uint8Array>;

export class RuleSaver {
  readonly #options: RuleSaverOptions;

  constructor(options: RuleSaverOptions) {
    this.#options = options;
  }

  /** Each group as a whole. What cannot be saved says so, and stops no other group. Returns what is known now of each, on disk or not. */
  save(groups: readonly (readonly Saveable[])[]): States {
    const { clock, checkpoints } = this.#options;
    const states = new Map<RuleRunner, Uint8Array>();
    const settle = once(this.#options.settle);
    for (const group of groups)
      for (const [runner, bytes] of this.#serialized(group, settle)) states.set(runner, bytes);
    if (states.size === 0) return states;
    try {
      checkpoints.save(new Map([...states].map(([{ key }, bytes]) => [key, bytes])), clock.now());
      for (const [runner, bytes] of states) runner.saved(bytes.length, clock.now());
    } catch (error) {
      this.#failed([...states.keys()], error);
    }
    return states;
  }

  /** What the rule knew when it was last saved. */
  load(key: string, uid: string): SavedRule | undefined {
    const bytes = this.#options.checkpoints.load(key);
    return bytes === undefined ? undefined : this.read(key, uid, bytes);
  }

  read(key: string, uid: string, bytes: Uint8Array): SavedRule | undefined {
    try {
      const saved = deserialize(bytes) as Checkpoint;
      giveBack(saved.zones ?? NO_ZONES);
      return saved.uid === uid ? saved.rule : undefined;
    } catch (error) {
      const { log } = this.#options;
      log.error({ rule: key, error: messageOf(error) }, 'the checkpoint of the rule cannot be read; it begins anew');
      return undefined;
    }
  }

  #serialized(group: readonly Saveable[], settle: () => void): States {
    for (const each of group) each.savedAt = this.#options.clock.monotonic();
    try {
      // What is read is not read again: its results must be as safe as the checkpoint.
      if (group.some(({ runner }) => givesToBus(runner.prepared))) settle();
      return new Map(
        group.map(({ runner, uid }) => {
          const rule = runner.save();
          const zones = mayHoldZones(runner.prepared) ? zonesIn(rule) : NO_ZONES;
          const checkpoint: Checkpoint = { uid, rule, ...(zones.size === 0 ? {} : { zones }) };
          return [runner, serialize(checkpoint)] as const;
        }),
      );
    } catch (error) {
      this.#failed(
        group.map(({ runner }) => runner),
        error,
      );
      return new Map();
    }
  }

  #failed(runners: readonly RuleRunner[], error: unknown): void {
    for (const runner of runners) {
      this.#options.log.error({ rule: runner.key, error: messageOf(error) }, 'what the rule knows was not saved');
      runner.notSaved(error);
    }
  }
}

const NO_ZONES: SavedZones = new Map();

/** Instants with a zone of their own are made by the rule, or by those that it reads. */
function mayHoldZones({ spec, streams }: PreparedRule): boolean {
  return /convert_tz/i.test(spec.sql) || [...streams.values()].some((stream) => stream?.source.rule !== undefined);
}

function givesToBus({ spec: { sinks = [] } }: PreparedRule): boolean {
  return sinks.some(({ bus }) => bus !== undefined);
}

/** What fails fails each time. */
function once(work: () => void): () => void {
  let outcome: { readonly error?: unknown } | undefined;
  return () => {
    outcome ??= attempt(work);
    if ('error' in outcome) throw outcome.error;
  };
}

function attempt(work: () => void): { readonly error?: unknown } {
  try {
    work();
    return {};
  } catch (error) {
    return { error };
  }
}
