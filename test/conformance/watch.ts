/** One watch over HTTP: every event in its order, and waiting for the one that a case is about. */
import type { ClientRequest, IncomingMessage } from 'node:http';
import type { KubeObject } from '@skerry/api';

export interface Seen<T extends KubeObject = KubeObject> {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: T;
}

const PATIENCE_MS = 60_000;

export class Watch<T extends KubeObject = KubeObject> implements Disposable {
  /** All so far. */
  readonly events: Seen<T>[] = [];
  readonly #path: string;
  readonly #abort = new AbortController();
  #next = 0;
  #wake: () => void = () => {};
  #ended: string | undefined;

  /** Resolves once the server has begun to answer. */
  static open<T extends KubeObject>(path: string, send: (signal: AbortSignal) => ClientRequest): Promise<Watch<T>> {
    const { promise, resolve, reject } = Promise.withResolvers<Watch<T>>();
    const watch = new Watch<T>(path);
    const sent = send(watch.#abort.signal);
    sent.on('error', (error) => {
      watch.#end(error.message);
      reject(error);
    });
    sent.on('response', (response) => {
      watch.#read(response);
      if (response.statusCode === 200) resolve(watch);
      else reject(new Error(`watch of ${path}: ${response.statusCode}`));
    });
    return promise;
  }

  private constructor(path: string) {
    this.#path = path;
  }

  #read(response: IncomingMessage): void {
    let rest = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      this.events.push(...lines.map((line) => JSON.parse(line) as Seen<T>));
      this.#wake();
    });
    response.on('error', (error) => this.#end(error.message));
    response.on('end', () => this.#end('the server ended it'));
  }

  #end(why: string): void {
    this.#ended ??= why;
    this.#wake();
  }

  /** The next event that is so; those before it are passed over. */
  async until(what: string, isIt: (event: Seen<T>) => boolean): Promise<Seen<T>> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      for (let event = this.events[this.#next]; event !== undefined; event = this.events[this.#next]) {
        this.#next++;
        if (isIt(event)) return event;
      }
      const left = deadline - performance.now();
      if (this.#ended !== undefined || left <= 0) throw new Error(this.#sorry(what));
      await this.#more(left);
    }
  }

  /** The next event about an object of this name. */
  see(type: Seen['type'], name: string): Promise<Seen<T>> {
    return this.until(`${type} of ${name}`, (event) => event.type === type && event.object.metadata.name === name);
  }

  #more(limitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, limitMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #sorry(what: string): string {
    const seen = this.events.map(({ type, object }) => `${type} ${object.metadata?.name} ${JSON.stringify(object)}`);
    return `a watch of ${this.#path} did not see ${what}${this.#ended === undefined ? '' : ` (${this.#ended})`}; it saw ${seen.join('\n')}`;
  }

  [Symbol.dispose](): void {
    this.#abort.abort();
  }
}
