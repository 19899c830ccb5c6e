/** All outlets of a process: each row goes to those that are about its series. */
import { type Clock, type Logger, messageOf } from '@skerry/base';
import { type Batch, valueAt } from '../contract/index.ts';
import { pathIn } from '../edge/folder.ts';
import type { Outlet } from '../kinds/index.ts';
import type { RoadFile } from '../road/edge/road-file.ts';
import { matcherOf } from '../road/edge/route-settings.ts';
import type { Labels, StoredType } from '../store/index.ts';
import { openTarget } from './index.ts';
import { type OutletReport, OutletSender } from './outlet-sender.ts';
import { queueSettings } from './outlet-settings.ts';
import type { Reach } from './reach.ts';
import type { Credentials } from './target.ts';

export interface OutletHubOptions {
  readonly file: RoadFile;
  readonly clock: Clock;
  readonly log: Logger;
  /** Yields numbers in [0, 1). */
  readonly random: () => number;
  /** Files are written in here only. */
  readonly folder: string;
  /** Whom outlets may connect to. */
  readonly reach: Reach;
  /** What a number in a batch stands for. */
  readonly describe: (series: number) => Described | undefined;
}

export interface Described {
  readonly labels: Labels;
  readonly type: StoredType;
}

interface Running {
  readonly sender: OutletSender;
  /** Series of other namespaces are none of its business. */
  readonly isMeant: (labels: Labels) => boolean;
  /** What it is connected by. */
  settings: string | undefined;
}

/** Where the rows of a series go, and under which number; undefined: an outlet has too many series. */
type Way = readonly { readonly sender: OutletSender; readonly series: number | undefined }[];

const NO_WAY: Way = [];

export class OutletHub {
  readonly #options: OutletHubOptions;
  readonly #running = new Map<string, Running>();
  readonly #ways = new Map<number, Way>();

  constructor(options: OutletHubOptions) {
    this.#options = options;
  }

  /** Takes rows for it from now on; they wait until it is connected. Throws when there are too many outlets. */
  declare(key: string, { metadata, spec }: Outlet): void {
    const { file, clock, log, random } = this.#options;
    const queue = file.queue(key, queueSettings(spec));
    if (queue === undefined) throw new RangeError('there are too many outlets');
    const known = this.#running.get(key);
    const sender = known?.sender ?? new OutletSender({ file, queue, clock, log, random });
    const matches = matcherOf(spec);
    const isMeant = (labels: Labels) => labels['namespace'] === metadata.namespace && matches(labels);
    this.#running.set(key, { sender, isMeant, settings: known?.settings });
    this.#ways.clear();
  }

  /** Sends it there; nothing changes while the settings are the same. Throws `OutletError` for settings that make no sense. */
  async connect(key: string, { metadata, spec }: Outlet, credentials: Credentials): Promise<void> {
    const running = this.#running.get(key);
    const settings = JSON.stringify([spec, credentials]);
    if (running === undefined || running.settings === settings) return;
    const { endpoint, headers = {}, options = {} } = spec;
    const { reach } = this.#options;
    const folder = pathIn(this.#options.folder, metadata.namespace ?? '');
    await running.sender.connect(
      await openTarget(spec.type, { endpoint, headers, options, credentials, folder, reach }),
    );
    running.settings = settings;
  }

  /** The outlet is gone, and with it what still waited. */
  async remove(key: string): Promise<void> {
    await this.#end(key);
    const { file } = this.#options;
    const queue = file.queues.find(({ name }) => name === key);
    if (queue !== undefined) file.forget(queue);
  }

  report(key: string): OutletReport | undefined {
    return this.#running.get(key)?.sender.report();
  }

  take(batch: Batch): void {
    if (this.#running.size === 0) return;
    const { length, series, times, qualities } = batch;
    for (let row = 0; row < length; row++) {
      const way = this.#wayOf(series[row] ?? 0);
      for (const { sender, series: own } of way) {
        if (own === undefined) sender.drop('TooManySeries');
        else sender.add(own, times[row] ?? 0, valueAt(batch, row), qualities[row] ?? 0);
      }
    }
  }

  /** What was taken is on disk, or the reports say why not. */
  flush(): void {
    for (const { sender } of this.#running.values()) sender.flush();
  }

  async close(): Promise<void> {
    for (const key of this.#running.keys()) await this.#end(key);
  }

  async #end(key: string): Promise<void> {
    const running = this.#running.get(key);
    if (running === undefined) return;
    this.#running.delete(key);
    this.#ways.clear();
    await running.sender
      .close()
      .catch((error: unknown) =>
        this.#options.log.warn({ outlet: key, error: messageOf(error) }, 'an outlet did not end well'),
      );
  }

  #wayOf(series: number): Way {
    const known = this.#ways.get(series);
    if (known !== undefined) return known;
    const described = this.#options.describe(series);
    const way = described === undefined ? NO_WAY : this.#findWay(described);
    this.#ways.set(series, way);
    return way;
  }

  #findWay({ labels, type }: Described): Way {
    return [...this.#running.values()]
      .filter(({ isMeant }) => isMeant(labels))
      .map(({ sender }) => ({ sender, series: sender.series(type, labels) }));
  }
}
