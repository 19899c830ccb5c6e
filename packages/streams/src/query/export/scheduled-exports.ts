/**
 * Outlets that export recorded series as Parquet files at set times. The files say what has been done: a process that begins looks
 * which there are, and makes the last one that is missing.
 */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, type Logger, messageOf, type Timer } from '@skerry/base';
import { pathIn } from '../../edge/folder.ts';
import type { LastExport, Outlet } from '../../kinds/outlet.ts';
import type { OutletRows } from '../../outlets/target.ts';
import { UNFINISHED, writeWhole } from '../../outlets/whole-file.ts';
import { type ExportPlan, ExportProblem, exportPlanOf } from './export-plan.ts';
import { parquetStream } from './parquet-stream.ts';
import { type ExportedStore, labelsOf, rowsOf } from './selected-rows.ts';

export interface ScheduledExportsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Files are written in here only. */
  readonly folder: string;
  /** Undefined where nothing was ever recorded. */
  readonly store: () => Promise<ExportedStore | undefined>;
}

export interface ExportReport {
  readonly problem?: string;
  readonly lastExport?: LastExport;
  readonly nextExport?: string;
}

/** After one that failed. */
const RETRY_MS = 60_000;
/** Clocks are put right meanwhile, and files removed by people. */
const LOOK_AGAIN_MS = 3_600_000;

interface Job {
  readonly plan: ExportPlan;
  readonly settings: string;
  readonly ending: AbortController;
  timer?: Timer;
  report: ExportReport;
}

export class ScheduledExports {
  readonly #options: ScheduledExportsOptions;
  readonly #jobs = new Map<string, Job>();
  /** One after the other: each reads much. */
  #running: Promise<void> = Promise.resolve();

  constructor(options: ScheduledExportsOptions) {
    this.#options = options;
  }

  /** Whether it is an outlet of this kind. Throws an ExportProblem for what cannot be done. */
  set(key: string, outlet: Outlet): boolean {
    const settings = JSON.stringify([outlet.spec, outlet.metadata.creationTimestamp]);
    if (this.#jobs.get(key)?.settings === settings) return true;
    this.remove(key);
    const plan = exportPlanOf(outlet);
    if (plan === undefined) return false;
    const job: Job = { plan, settings, ending: new AbortController(), report: {} };
    this.#jobs.set(key, job);
    this.#begin(job);
    return true;
  }

  /** Its files stay. */
  remove(key: string): void {
    const job = this.#jobs.get(key);
    this.#jobs.delete(key);
    job?.ending.abort();
    job?.timer?.cancel();
  }

  report(key: string): ExportReport | undefined {
    return this.#jobs.get(key)?.report;
  }

  async close(): Promise<void> {
    for (const key of this.#jobs.keys()) this.remove(key);
    await this.#running;
  }

  #begin(job: Job): void {
    this.#running = this.#running.then(() => this.#look(job));
  }

  async #look(job: Job): Promise<void> {
    const { clock, log } = this.#options;
    if (job.ending.signal.aborted) return;
    let at = clock.now() + RETRY_MS;
    try {
      at = await this.#exportDue(job);
    } catch (error) {
      if (job.ending.signal.aborted) return;
      job.report = { ...job.report, problem: messageOf(error) };
      log.warn({ directory: job.plan.directory, error: messageOf(error) }, 'an export of series failed');
    }
    if (job.ending.signal.aborted) return;
    job.timer = clock.after(Math.max(1, at - clock.now()), () => this.#begin(job), { unref: true });
  }

  /** Returns when to look again. */
  async #exportDue(job: Job): Promise<number> {
    const { clock } = this.#options;
    const { plan } = job;
    const directory = pathIn(pathIn(this.#options.folder, plan.namespace), plan.directory);
    await mkdir(directory, { recursive: true });
    // What falls due while this one is made comes next.
    const now = clock.now();
    const passed = now - plan.delayMs;
    // A date ahead, of a clock that was wrong, must not hold up the schedule.
    const times = (await timesIn(directory, plan)).filter((time) => time <= now);
    const due = plan.dueAt(passed, times[0]);
    const exported = due === undefined ? undefined : await this.#export(job, directory, due);
    const all = due === undefined ? times : [due, ...times];
    for (const time of plan.expired(all, now)) await rm(join(directory, plan.nameAt(time)), { force: true });
    const moment = plan.nextAfter(passed, all[0]);
    const next = moment === undefined ? undefined : moment + plan.delayMs;
    const last = exported ?? lastOf(job, all[0]);
    job.report = {
      ...(last === undefined ? {} : { lastExport: last }),
      ...(next === undefined ? {} : { nextExport: new Date(next).toISOString() }),
    };
    return Math.min(now + LOOK_AGAIN_MS, next ?? Number.POSITIVE_INFINITY);
  }

  async #export({ plan, ending }: Job, directory: string, time: number): Promise<LastExport> {
    const store = await this.#options.store();
    if (store === undefined) throw new ExportProblem('nothing is recorded here yet: a Retention says what is');
    const { selections, rangeMs } = plan;
    const wanted = { selections, from: time - rangeMs, to: time, signal: ending.signal };
    let rows = 0;
    const counted = counting(rowsOf(store, wanted), (more) => {
      rows += more;
    });
    const file = plan.nameAt(time);
    const bytes = await writeWhole(directory, file, parquetStream(counted, labelsOf(store, wanted)));
    return { time: new Date(time).toISOString(), file, rows, bytes };
  }
}

async function* counting(series: AsyncIterable<OutletRows>, count: (rows: number) => void) {
  for await (const one of series) {
    count(one.rows.length);
    yield one;
  }
}

/** Of the files that are there, the newest first. What was not finished goes. */
async function timesIn(directory: string, plan: ExportPlan): Promise<readonly number[]> {
  const times: number[] = [];
  for (const name of await readdir(directory)) {
    const isUnfinished = name.endsWith(UNFINISHED);
    const time = plan.timeOf(isUnfinished ? name.slice(0, -UNFINISHED.length) : name);
    if (time === undefined) continue;
    if (isUnfinished) await rm(join(directory, name), { force: true });
    else times.push(time);
  }
  return times.toSorted((one, other) => other - one);
}

/** What is known of it, when it is the same one still. */
function lastOf({ plan, report: { lastExport } }: Job, time: number | undefined): LastExport | undefined {
  if (time === undefined) return undefined;
  const file = plan.nameAt(time);
  return lastExport?.file === file ? lastExport : { time: new Date(time).toISOString(), file };
}
