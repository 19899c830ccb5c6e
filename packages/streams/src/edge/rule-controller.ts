/** Which rules run here: those placed on this node, each by a runner that is replaced, with what it knows, when the rule changes. */
import type { KubeObject } from '@skerry/api';
import { type Clock, type Logger, messageOf, type Timer } from '@skerry/base';
import type { Client } from '@skerry/kube/client';
import {
  type ControllerSpec,
  type Informer,
  keyOf,
  parseObjectKey,
  type Requeue,
  watching,
} from '@skerry/kube/controller';
import type { RuleSurroundings } from '../engine/rule/catalog.ts';
import { FunctionProblem, type OpenFunctions, openFunctions } from '../engine/rule/javascript.ts';
import { runOwnTests } from '../engine/rule/own-tests.ts';
import { millisecondsOf, type PreparedRule, prepareRule, RuleProblem } from '../engine/rule/prepare.ts';
import { RULES } from '../kinds/group.ts';
import type { Rule, RuleNodeStatus, RuleSink } from '../kinds/rule.ts';
import type { Stream } from '../kinds/stream.ts';
import type { Table } from '../kinds/table.ts';
import type { UserFunction } from '../sql/index.ts';
import type { SeriesStore } from '../store/index.ts';
import { tableRowsOf } from '../trial/trial.ts';
import type { Checkpoints } from './checkpoints.ts';
import { connected } from './connected-rules.ts';
import type { NodeValues } from './node-values.ts';
import type { RuleOutputs } from './rule-outputs.ts';
import { RuleRunner, type SavedRule } from './rule-runner.ts';
import { RuleSaver } from './rule-saver.ts';
import { readSecret, type Secret } from './secrets.ts';
import { openSink, sinkSecretOf } from './sinks/open-sink.ts';
import type { Sink } from './sinks/sink.ts';
import type { StatusTeller } from './status-teller.ts';
import type { StreamHub } from './stream-hub.ts';
import type { NodeTables } from './tables/node-tables.ts';

export interface RuleControllerOptions {
  readonly node: string;
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: () => number;
  readonly folder: string;
  readonly values: NodeValues;
  readonly store: () => Promise<SeriesStore>;
  readonly rules: Informer<Rule>;
  readonly streams: Informer<Stream>;
  readonly tables: Informer<Table>;
  readonly hub: StreamHub;
  readonly outputs: RuleOutputs;
  readonly nodeTables: NodeTables;
  readonly checkpoints: Checkpoints;
  readonly teller: StatusTeller;
  /** What is on the bus by now is safe when it returns; throws when it cannot be. */
  readonly settle: () => void;
}

export interface RuleController {
  readonly spec: ControllerSpec;
  close(): Promise<void>;
}

export function ruleController(options: RuleControllerOptions): RuleController {
  const rules = new NodeRules(options);
  const ofNamespace = ({ metadata }: Stream | Table) => inNamespace(options.rules, metadata.namespace).map(keyOf);
  return {
    spec: {
      name: 'rules',
      watches: [
        watching(options.rules, ({ object }) => [keyOf(object)]),
        // A change of a stream changes the rules that read it; which ones, their reconciling finds out.
        watching(options.streams, ({ object }) => ofNamespace(object)),
        watching(options.tables, ({ object }) => ofNamespace(object)),
      ],
      // What is kept of rules that went while nothing ran here goes too.
      initialKeys: options.checkpoints.rules(),
      reconcile: (key) => rules.reconcile(key),
      // While one changes, those that are connected with it stand still.
      concurrency: 1,
    },
    close: () => rules.close(),
  };
}

interface Running {
  readonly runner: RuleRunner;
  readonly uid: string;
  readonly madeOf: string;
  readonly intervalMs: number;
  readonly functions: OpenFunctions;
  savedAt: number;
}

const DEFAULT_CHECKPOINT_MS = 5000;
/** Whether any rule is to be saved is looked at so often. */
const LOOK_MS = 250;
/** What a rule lacks may come. */
const RETRY_MS = 2000;
const DEFAULT_WAITING = 10_000;

class NodeRules {
  readonly #options: RuleControllerOptions;
  readonly #running = new Map<string, Running>();
  /** Why those that do not run do not, with what that was found for. */
  readonly #failed = new Map<string, { readonly madeOf: string | undefined; readonly why: string }>();
  readonly #starting = new Set<string>();
  readonly #saver: RuleSaver;
  #timer: Timer | undefined;

  constructor(options: RuleControllerOptions) {
    this.#options = options;
    this.#saver = new RuleSaver(options);
    this.#look();
  }

  async reconcile(key: string): Promise<Requeue | undefined> {
    const { rules, node, checkpoints, teller, hub } = this.#options;
    const rule = rules.cache.get(key);
    if (rule?.status?.nodes?.includes(node) !== true) {
      await this.#stop(key);
      // A rule that is gone, or has gone to other nodes, begins anew should it come back.
      checkpoints.remove(key);
      hub.retain(key, []);
      await teller.forget(`rules ${key}`);
      return undefined;
    }
    teller.set(`rules ${key}`, { gvr: RULES, object: rule, view: () => this.#view(key) });
    if (rule.spec.enabled === false) {
      await this.#stop(key);
      return undefined;
    }
    const madeOf = this.#madeFrom(rule);
    if (this.#running.get(key)?.madeOf === madeOf || this.#failed.get(key)?.madeOf === madeOf) return undefined;
    try {
      this.#starting.add(key);
      await this.#startReaders(key);
      await this.#start(key, rule, madeOf);
      return undefined;
    } catch (error) {
      await this.#stop(key);
      // What is wrong with the rule itself stays so until it changes; a Secret or a table may still come.
      const isFinal = error instanceof RuleProblem || error instanceof FunctionProblem;
      this.#failed.set(key, { madeOf: isFinal ? madeOf : undefined, why: messageOf(error) });
      return isFinal ? undefined : { afterMs: RETRY_MS };
    } finally {
      this.#starting.delete(key);
    }
  }

  async close(): Promise<void> {
    this.#timer?.cancel();
    const all = [...this.#running.values()];
    await Promise.all(all.map(({ runner }) => runner.quiet()));
    this.#save(all);
    for (const { runner } of all) runner.end();
    await Promise.all(all.map(({ runner }) => runner.close()));
    for (const { functions } of all) functions.close();
    this.#running.clear();
  }

  /** Whoever reads its results is there before it gives any. Those that cannot start keep nobody waiting. */
  async #startReaders(key: string): Promise<void> {
    const { rules, streams } = this.#options;
    const { namespace, name } = parseObjectKey(key);
    const results = inNamespace(streams, namespace).filter(({ spec }) => spec.source.rule?.name === name);
    const names = new Set(results.map(({ metadata }) => metadata.name ?? ''));
    if (names.size === 0) return;
    for (const rule of inNamespace(rules, namespace)) {
      const reader = keyOf(rule);
      const isTried = this.#running.has(reader) || this.#failed.has(reader) || this.#starting.has(reader);
      if (!isTried && (rule.spec.streams?.some((each) => names.has(each)) ?? true)) await this.reconcile(reader);
    }
  }

  async #start(key: string, rule: Rule, madeOf: string): Promise<void> {
    const { clock, log, hub, outputs, node, nodeTables } = this.#options;
    const { namespace } = parseObjectKey(key);
    const functions = await openFunctions(rule.spec.functions ?? [], () => clock.monotonic());
    await using stack = new AsyncDisposableStack();
    stack.defer(() => functions.close());
    const around = this.#around(namespace);
    const prepare = (made: readonly UserFunction[]) => prepareRule(rule, { around, node, functions: made });
    const prepared = prepare(functions.functions);
    if (functions.functions.length > 0)
      runOwnTests({
        functions: functions.functions,
        prepare,
        tables: (tried, { tables }) => tableRowsOf(tried, around, node)(tables),
        monotonic: () => clock.monotonic(),
      });
    const secrets = await this.#secretsOf(namespace, prepared);
    const tables = await nodeTables.open(namespace, prepared.tables);
    const uid = rule.metadata.uid ?? '';
    const make = (saved: SavedRule | undefined) =>
      new RuleRunner({
        namespace,
        prepared,
        clock,
        log,
        hub,
        outputs,
        tables,
        openSink: (sink, known) =>
          this.#openSink({ namespace, prepared, sink, secret: secrets.get(sink.name), saved: known }),
        saved,
      });
    const intervalMs = millisecondsOf(rule.spec.options?.checkpointInterval, DEFAULT_CHECKPOINT_MS);
    await this.#replace(key, (saved) => {
      const runner = makeFrom(saved(uid), make, log);
      return { runner, uid, madeOf, intervalMs, savedAt: Number.NEGATIVE_INFINITY, functions };
    });
    stack.move();
  }

  /** In the place of the one that is running, should there be one, with what that knows. */
  async #replace(key: string, make: (saved: (uid: string) => SavedRule | undefined) => Running): Promise<void> {
    const before = this.#running.get(key);
    await before?.runner.quiet();
    // From here on in one breath: a rule that it reads gives no results meanwhile.
    const bytes = before === undefined ? undefined : this.#end(key, before);
    try {
      const running = make((uid) =>
        bytes === undefined ? this.#saver.load(key, uid) : this.#saver.read(key, uid, bytes),
      );
      this.#failed.delete(key);
      this.#running.set(key, running);
      // Before it gives anything out: what was written since would else not be known to be written anew.
      this.#save([running]);
      running.runner.start();
    } finally {
      await before?.runner.close();
      before?.functions.close();
    }
  }

  async #stop(key: string): Promise<void> {
    const running = this.#running.get(key);
    this.#failed.delete(key);
    if (running === undefined) return;
    await running.runner.quiet();
    this.#end(key, running);
    await running.runner.close();
    running.functions.close();
  }

  /** Saved a last time; returns what it knows. */
  #end(key: string, running: Running): Uint8Array | undefined {
    const states = this.#save([running]);
    running.runner.end();
    this.#running.delete(key);
    return states.get(running.runner);
  }

  #around(namespace: string): RuleSurroundings {
    const { streams, tables } = this.#options;
    return {
      stream: (name) => streams.cache.get(`${namespace}/${name}`),
      table: (name) => tables.cache.get(`${namespace}/${name}`),
      streamNames: () => inNamespace(streams, namespace).map(({ metadata }) => metadata.name ?? ''),
      tableNames: () => inNamespace(tables, namespace).map(({ metadata }) => metadata.name ?? ''),
    };
  }

  /** All that a rule follows from here. */
  #madeFrom(rule: Rule): string {
    const around = this.#around(rule.metadata.namespace ?? '');
    // Without the cloud's admission nobody has written down which of them it names.
    const { streams = around.streamNames(), tables = around.tableNames() } = rule.spec;
    return JSON.stringify([
      rule.metadata.uid,
      rule.spec,
      streams.map((name) => around.stream(name)?.spec),
      tables.map((name) => around.table(name)?.spec),
    ]);
  }

  async #secretsOf(namespace: string, { spec }: PreparedRule): Promise<ReadonlyMap<string, Secret>> {
    const { client } = this.#options;
    const read = (spec.sinks ?? []).map(
      async (sink) => [sink.name, await readSecret(client, namespace, sinkSecretOf(sink))] as const,
    );
    return new Map(await Promise.all(read));
  }

  #openSink(options: {
    readonly namespace: string;
    readonly prepared: PreparedRule;
    readonly sink: RuleSink;
    readonly secret: Secret | undefined;
    readonly saved: unknown;
  }): Sink | undefined {
    const { namespace, prepared, sink, secret = {}, saved } = options;
    const maxWaiting = prepared.spec.options?.maxWaitingRows ?? DEFAULT_WAITING;
    return openSink({ ...this.#options, namespace, rule: prepared.name, sink, secret, saved, maxWaiting });
  }

  #look(): void {
    const { clock } = this.#options;
    this.#timer = clock.after(LOOK_MS, () => this.#look(), { unref: true });
    const dirty = [...this.#running.values()].filter(({ runner }) => runner.isDirty);
    if (dirty.some(({ savedAt, intervalMs }) => clock.monotonic() - savedAt >= intervalMs)) this.#save(dirty);
  }

  /** With all that they are connected with. */
  #save(wanted: readonly Running[]): ReadonlyMap<RuleRunner, Uint8Array> {
    const all = [...this.#running.values()].map((running) => {
      const { key, reads } = running.runner;
      return { key, reads, running };
    });
    const groups = connected(all).map((group) => group.map(({ running }) => running));
    return this.#saver.save(groups.filter((group) => group.some((running) => wanted.includes(running))));
  }

  #view(key: string): RuleNodeStatus {
    const running = this.#running.get(key);
    if (running !== undefined) return running.runner.status();
    const failed = this.#failed.get(key);
    if (failed !== undefined) return { state: 'Failed', lastError: failed.why };
    const isDisabled = this.#options.rules.cache.get(key)?.spec.enabled === false;
    return { state: isDisabled ? 'Disabled' : 'Pending', lastError: '' };
  }
}

function inNamespace<T extends KubeObject>({ cache }: Informer<T>, namespace: string | undefined): readonly T[] {
  return cache.list().filter(({ metadata }) => metadata.namespace === namespace);
}

/** What an earlier version has saved may mean nothing to this one; the rule begins anew then. */
function makeFrom(
  saved: SavedRule | undefined,
  make: (saved: SavedRule | undefined) => RuleRunner,
  log: Logger,
): RuleRunner {
  try {
    return make(saved);
  } catch (error) {
    if (saved === undefined) throw error;
    log.error({ error: messageOf(error) }, 'what the rule had saved cannot be used; it begins anew');
    return make(undefined);
  }
}
