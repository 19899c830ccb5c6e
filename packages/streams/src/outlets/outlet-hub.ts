/** All outlets of a process: each row goes to those that are about its series. */
import { type Clock, type Logger, messageOf } from '@skerry/base';
import { type Batch, valueAt } from '../contract/index.ts';
import type { Outlet } from '../kinds/index.ts';
import type { RoadFile } from '../road/edge/road-file.ts';
import { matcherOf } from '../road/edge/route-settings.ts';
import type { Labels, StoredType } from '../store/index.ts';
import { openTarget } from './index.ts';
import { type OutletReport, OutletSender } from './outlet-sender.ts';
import { queueSettings } from './outlet-settings.ts';
import type { Credentials } from './target.ts';

export interface OutletHubOptions {
  readonly file: RoadFile;
  readonly clock: Clock;
  readonly log: Logger;
  /** Yields numbers in [0, 1). */
  readonly random: () => number;
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
  /** What it was made of. */
  readonly settings: string;
}

/** Where the rows of a series go, and under which number. */
type Way = readonly { readonly sender: OutletSender; readonly series: number }[];

const NO_WAY: Way = [];

export class OutletHub {
  readonly #options: OutletHubOptions;
  readonly #running = new Map<string, Running>();
  readonly #ways = new Map<number, Way>();

  constructor(options: OutletHubOptions) {
    this.#options = options;
  }

  /** Makes it so; what waits in the outlet's queue stays. Throws `OutletError` for settings that make no sense. */
  async set(key: string, { metadata, spec }: Outlet, credentials: Credentials): Promise<void> {
    const settings = JSON.stringify([spec, credentials]);
    if (this.#running.get(key)?.settings === settings) return;
    const { file, clock, log, random } = this.#options;
    await this.#end(key);
    const { endpoint, headers = {}, options = {} } = spec;
    const target = await openTarget(spec.type, { endpoint, headers, options, credentials });
    const queue = file.queue(key, queueSettings(spec));
    if (queue === undefined) throw new RangeError('there are too many outlets');
    const sender = new OutletSender({ file, queue, target, clock, log, random });
    const matches = matcherOf(spec);
    const isMeant = (labels: Labels) =>
      [undefined, metadata.namespace].includes(labels['namespace']) && matches(labels);
    this.#running.set(key, { sender, isMeant, settings });
    this.#ways.clear();
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
      for (const { sender, series: own } of way)
        sender.add(own, times[row] ?? 0, valueAt(batch, row), qualities[row] ?? 0);
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
      .flatMap(({ sender }) => {
        const series = sender.series(type, labels);
        return series === undefined ? [] : [{ sender, series }];
      });
  }
}
