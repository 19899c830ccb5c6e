/** Work that several ask for at once and that is done once: it ends early only when the last of them has left. */

interface Flight<Result, News> {
  readonly result: Promise<Result>;
  readonly callers: Set<(news: News) => void>;
  readonly abort: AbortController;
  latest?: News;
}

export interface Caller<News> {
  readonly signal?: AbortSignal | undefined;
  readonly onNews?: ((news: News) => void) | undefined;
}

export class Flights<Result, News> {
  readonly #flights = new Map<string, Flight<Result, News>>();
  /** What nobody wants any more and has not ended yet. */
  readonly #ending = new Map<string, Promise<void>>();

  get keys(): Iterable<string> {
    return this.#flights.keys();
  }

  /** Does the work, or joins those who wait for it. `tell` reaches each of them; who comes later hears the latest first. */
  async join(
    key: string,
    { signal, onNews = () => {} }: Caller<News>,
    work: (signal: AbortSignal, tell: (news: News) => void) => Promise<Result>,
  ): Promise<Result> {
    signal?.throwIfAborted();
    const flight = this.#flights.get(key) ?? this.#begin(key, work);
    // A function of its own: one caller may stand in the set twice.
    const listener = (news: News): void => onNews(news);
    flight.callers.add(listener);
    if (flight.latest !== undefined) listener(flight.latest);
    try {
      return await unlessAborted(flight.result, signal);
    } finally {
      flight.callers.delete(listener);
      // Whoever called it off may count on it that nothing is done any more.
      if (flight.callers.size === 0) await this.#end(key, flight);
    }
  }

  #begin(
    key: string,
    work: (signal: AbortSignal, tell: (news: News) => void) => Promise<Result>,
  ): Flight<Result, News> {
    const [abort, callers] = [new AbortController(), new Set<(news: News) => void>()];
    const tell = (news: News): void => {
      flight.latest = news;
      for (const listener of callers) listener(news);
    };
    // Later, so that `flight` is there when the work tells its first news.
    const result = Promise.resolve(this.#ending.get(key)).then(() => work(abort.signal, tell));
    const flight: Flight<Result, News> = { result, callers, abort };
    result.catch(() => {});
    this.#flights.set(key, flight);
    return flight;
  }

  /** Whoever comes now begins anew, once work that nobody wants has ended. */
  #end(key: string, flight: Flight<Result, News>): Promise<void> {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
    flight.abort.abort();
    const ended = flight.result.then(noop, noop).then(() => {
      if (this.#ending.get(key) === ended) this.#ending.delete(key);
    });
    this.#ending.set(key, ended);
    return ended;
  }
}

function noop(): void {}

async function unlessAborted<Result>(result: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  if (signal === undefined) return await result;
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([result, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
