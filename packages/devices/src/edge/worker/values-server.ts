/** Live values, and the door to devices, for whoever is on the node and knows the token. HTTP on a unix socket. */
import { timingSafeEqual } from 'node:crypto';
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { formatApiVersion } from '@skerry/api';
import type { Batch } from '@skerry/streams/contract';
import { DEVICE_VALUES_ROW, type DeviceValues, type LiveValue } from '../../telemetry/device-values.ts';
import { HISTORY_PATH } from '../../telemetry/history-request.ts';
import { formatValueType } from '../../values/value-type.ts';
import { answerAtDoor } from '../twin/door-server.ts';
import type { DataPlane } from './data-worker.ts';
import type { PlannedPoint } from './device-plan.ts';
import { liveValue } from './device-status.ts';
import { answerHistory } from './history-server.ts';
import type { LiveDevice } from './live-device.ts';
import { streamSamples, type WantedSamples } from './sample-stream.ts';

export interface ValuesServer {
  close(): Promise<void>;
}

export interface ValuesServerOptions {
  readonly plane: DataPlane;
  readonly socket: string;
  readonly token: string;
  /** What the other half of the worker answers, by the path of its POST. */
  readonly beside?: Readonly<Record<string, AnswerBeside>>;
}

export type AnswerBeside = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

const MAX_CONNECTIONS = 256;
/** Changes are told at most so often: whoever watches reads along, and what comes faster is on the bus. */
const WATCH_MS = 100;

export async function serveValues({ plane, socket, token, beside = {} }: ValuesServerOptions): Promise<ValuesServer> {
  const wanted = Buffer.from(`Bearer ${token}`);
  const server = createServer({ maxHeaderSize: 8192, requestTimeout: 10_000 }, (request, response) => {
    const given = Buffer.from(request.headers.authorization ?? '');
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted))
      return refuse(response, 401, 'no such token');
    if (request.method === 'POST' && isAtDoor(request)) return void answerAtDoor(plane.door, request, response);
    if (request.method === 'POST' && request.url === HISTORY_PATH) return void answerHistory(plane, request, response);
    const other = beside[request.url ?? ''];
    if (request.method === 'POST' && other !== undefined) return void other(request, response);
    if (request.method !== 'GET') return refuse(response, 405, 'values are only read here');
    answer(plane, request, response);
  });
  server.maxConnections = MAX_CONNECTIONS;
  rmSync(socket, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, resolve);
  });
  chmodSync(socket, 0o600);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function isAtDoor({ url }: IncomingMessage): boolean {
  return url === '/write' || url === '/call';
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ message }));
}

/** `/values?namespace=NS&name=DEVICE&watch=true`, each of them optional. */
function answer(plane: DataPlane, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://data');
  if (url.pathname === '/samples') {
    response.writeHead(200, { 'content-type': 'application/json' });
    streamSamples(plane, wantedSamples(url.searchParams), response);
    return;
  }
  if (url.pathname !== '/values') {
    refuse(response, 404, `there is no ${url.pathname}`);
    return;
  }
  const [namespace, name] = [url.searchParams.get('namespace'), url.searchParams.get('name')];
  const isWanted = (device: LiveDevice) =>
    (namespace === null || device.namespace === namespace) && (name === null || device.name === name);
  response.writeHead(200, { 'content-type': 'application/json' });
  if (url.searchParams.get('watch') === 'true') {
    watch(plane, isWanted, response);
    return;
  }
  const items = plane.devices
    .all()
    .filter(isWanted)
    .map((device) => valuesOf(plane, device, device.points));
  response.end(JSON.stringify({ items }));
}

/** `/samples?namespace=NS&share=INDEX&of=COUNT`, each of them optional. */
function wantedSamples(query: URLSearchParams): WantedSamples {
  const namespace = query.get('namespace');
  const of = Number(query.get('of') ?? 1);
  return {
    ...(namespace === null ? {} : { namespace }),
    ...(of > 1 ? { share: { index: Number(query.get('share')), of } } : {}),
  };
}

function valuesOf({ node, last }: DataPlane, device: LiveDevice, points: readonly PlannedPoint[]): DeviceValues {
  const { namespace, name, condition } = device;
  const { labels } = device.device.metadata;
  const { gvk } = DEVICE_VALUES_ROW;
  return {
    apiVersion: formatApiVersion(gvk),
    kind: gvk.kind,
    metadata: { namespace, name, ...(labels === undefined ? {} : { labels }) },
    node,
    state: condition.state,
    values: points.flatMap((point): LiveValue[] => {
      const reported = liveValue(point, last);
      if (reported === undefined) return [];
      const { name: property, unit, valueType } = point.property;
      return [{ property, type: formatValueType(valueType), ...(unit === undefined ? {} : { unit }), ...reported }];
    }),
  };
}

/** First a line for each device with all that is known, then one for each device that has something new. */
function watch(plane: DataPlane, isWanted: (device: LiveDevice) => boolean, response: ServerResponse): void {
  const watcher = new Watcher(plane, isWanted, response);
  response.on('close', () => watcher.close());
  watcher.start();
}

class Watcher {
  readonly #plane: DataPlane;
  readonly #isWanted: (device: LiveDevice) => boolean;
  readonly #response: ServerResponse;
  /** What was told last, by device: which one it was, how it was, and up to which change. */
  readonly #told = new Map<string, { readonly device: LiveDevice; readonly state: string; readonly change: number }>();
  readonly #closing = new AbortController();
  #isDue = true;

  constructor(plane: DataPlane, isWanted: (device: LiveDevice) => boolean, response: ServerResponse) {
    this.#plane = plane;
    this.#isWanted = isWanted;
    this.#response = response;
  }

  start(): void {
    const { bus, devices } = this.#plane;
    // Only whether something came is of interest; what, the table of last values says.
    const mark = (_batch: Batch) => {
      this.#isDue = true;
      return false;
    };
    const subscription = bus.subscribe({ name: 'watch-values', limitRows: 1, wants: mark });
    const end = devices.onChange(() => {
      this.#isDue = true;
    });
    this.#closing.signal.addEventListener('abort', () => {
      subscription.close();
      end();
    });
    void this.#run();
  }

  close(): void {
    this.#closing.abort();
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      if (this.#isDue && !this.#response.writableNeedDrain) {
        this.#isDue = false;
        this.#tell();
      }
      await this.#plane.clock.sleep(WATCH_MS, signal).catch(() => {});
    }
  }

  #tell(): void {
    const { devices, last } = this.#plane;
    const gone = new Set(this.#told.keys());
    for (const device of devices.all()) {
      if (!this.#isWanted(device)) continue;
      const key = `${device.namespace}/${device.name}`;
      gone.delete(key);
      this.#tellOne(key, device, last.change);
    }
    for (const key of gone) {
      const known = this.#told.get(key);
      this.#told.delete(key);
      if (known !== undefined) this.#write('DELETED', valuesOf(this.#plane, known.device, []));
    }
  }

  #tellOne(key: string, device: LiveDevice, change: number): void {
    const known = this.#told.get(key);
    const { state } = device.condition;
    const isNew = known?.device !== device;
    const points = isNew
      ? device.points
      : device.points.filter((each) => this.#plane.last.isNewer(each.series, known.change));
    this.#told.set(key, { device, state, change });
    if (!isNew && points.length === 0 && known.state === state) return;
    this.#write(known === undefined ? 'ADDED' : 'MODIFIED', valuesOf(this.#plane, device, points));
  }

  #write(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: DeviceValues): void {
    this.#response.write(`${JSON.stringify({ type, object })}\n`);
  }
}
