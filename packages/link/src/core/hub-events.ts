/** What happens to the hub's half of a node's link, and what it asks to be done. */
import type { WriteEffect } from './channel.ts';
import type { PathFrame, Reason } from './frame.ts';
import type { HubSyncEffect, HubSyncEvent } from './hub-sync.ts';
import type { StreamEffect, StreamEvent } from './stream-events.ts';

export type Hello = Extract<PathFrame, { type: 'hello' }>;

/** A comer that passed admission: what it said, the number on disk, and sixteen random bytes in case it gets a session. */
export interface Admitted {
  readonly type: 'hello';
  readonly path: number;
  readonly hello: Hello;
  readonly stored: number;
  readonly key: Uint8Array;
}

export type HubEvent =
  | Admitted
  | { readonly type: 'path-closed'; readonly path: number; readonly reason: string }
  | { readonly type: 'message'; readonly path: number; readonly bytes: Uint8Array }
  | { readonly type: 'written'; readonly path: number; readonly bytes: number }
  | { readonly type: 'number-stored'; readonly sessionNumber: number }
  | { readonly type: 'close'; readonly reason: Reason; readonly text: string }
  | { readonly type: 'flush' }
  | { readonly type: 'tick' }
  | HubSyncEvent
  | StreamEvent;

export type HubEffect =
  | { readonly type: 'close-path'; readonly path: number; readonly code: number; readonly reason: string }
  | { readonly type: 'store-number'; readonly sessionNumber: number }
  /** The number is on disk on both sides. */
  | { readonly type: 'session-open'; readonly sessionNumber: number }
  | { readonly type: 'session-ended'; readonly reason: string }
  | {
      readonly type: 'copy';
      readonly kind: 'live-session' | 'old-number';
      readonly path: number;
      readonly holder: number | undefined;
      readonly comerNumber: number;
      readonly currentNumber: number;
    }
  | WriteEffect
  | HubSyncEffect
  | StreamEffect;
