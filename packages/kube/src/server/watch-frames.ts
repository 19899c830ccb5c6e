/** Watch events as bytes: each change is encoded once per form, whoever watches. */
import { formatApiVersion, type KubeObject, type Status, type WatchEventType } from '@skerry/api';
import type { StoredObject } from '../store/contract.ts';
import { type Call, type Engine, viewOf } from './engine.ts';
import { toPartialMetadata } from './metadata-form.ts';
import type { Form } from './negotiate.ts';
import { toServedJson, toServedObject } from './object-text.ts';
import type { ServedKind } from './resource-table.ts';
import { renderTable } from './table-form.ts';

export type Frame = Uint8Array;

const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

/** Frames of the commit that is being published now; many watchers of a kind share each. */
export class FrameCache {
  readonly #engine: Pick<Engine, 'clock'>;
  readonly #frames = new Map<string, Frame>();
  #isClearing = false;

  constructor(engine: Pick<Engine, 'clock'>) {
    this.#engine = engine;
  }

  /** The frame of one event, encoded at most once within a turn of the event loop. */
  frame(call: Call, type: WatchEventType, stored: StoredObject): Frame {
    const { kind, wanted } = call;
    const includeObject = wanted.form === 'table' ? (call.request.query.get('includeObject') ?? '') : '';
    const key = `${stored.revision} ${type} ${wanted.form} ${formatApiVersion(kind.row.gvr)} ${includeObject} ${stored.key}`;
    const known = this.#frames.get(key);
    if (known !== undefined) return known;
    const frame = encodeFrame(this.#engine, call, { type, object: stored });
    this.#frames.set(key, frame);
    this.#clearSoon();
    return frame;
  }

  // Changes are published synchronously, so what is shared is shared before the next microtask.
  #clearSoon(): void {
    if (this.#isClearing) return;
    this.#isClearing = true;
    queueMicrotask(() => {
      this.#isClearing = false;
      this.#frames.clear();
    });
  }
}

export interface StoredEvent {
  readonly type: WatchEventType;
  readonly object: StoredObject;
}

export function encodeFrame(engine: Pick<Engine, 'clock'>, call: Call, { type, object }: StoredEvent): Frame {
  return toFrame(type, eventText(engine, call, object));
}

function eventText(engine: Pick<Engine, 'clock'>, call: Call, stored: StoredObject): string {
  const view = viewOf(call.kind);
  switch (call.wanted.form) {
    case 'object':
      return toServedJson(stored, view);
    case 'metadata':
      return JSON.stringify(toPartialMetadata(toServedObject(stored, view)));
    case 'table': {
      const object = toServedObject(stored, view);
      return JSON.stringify(renderTable(engine, call, [object], { resourceVersion: object.metadata.resourceVersion }));
    }
  }
}

/** A bookmark: nothing but a resourceVersion to resume from. */
export function bookmarkFrame(kind: ServedKind, form: Form, revision: number, isInitialEnd: boolean): Frame {
  const metadata: KubeObject['metadata'] = {
    resourceVersion: String(revision),
    ...(isInitialEnd ? { annotations: { [INITIAL_EVENTS_END]: 'true' } } : {}),
  };
  return toFrame('BOOKMARK', JSON.stringify(bookmarkObject(kind, form, metadata)));
}

function bookmarkObject({ row }: ServedKind, form: Form, metadata: KubeObject['metadata']): object {
  const object = {
    kind: row.gvk.kind,
    apiVersion: formatApiVersion(row.gvk),
    metadata: { creationTimestamp: null, ...metadata },
  };
  switch (form) {
    case 'object':
      return object;
    case 'metadata':
      return toPartialMetadata({ ...object, metadata });
    case 'table': {
      const rows = [{ cells: [], object: toPartialMetadata({ ...object, metadata }) }];
      return {
        kind: 'Table',
        apiVersion: 'meta.k8s.io/v1',
        metadata: { resourceVersion: metadata.resourceVersion },
        columnDefinitions: [],
        rows,
      };
    }
  }
}

export function errorFrame(status: Status): Frame {
  return toFrame('ERROR', JSON.stringify(status));
}

function toFrame(type: WatchEventType | 'ERROR', text: string): Frame {
  return Buffer.from(`{"type":"${type}","object":${text}}\n`);
}
