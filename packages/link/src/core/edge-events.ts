/** What happens to the edge's half of the link, and what it asks to be done. */
import type { Position } from '../contract.ts';
import type { WriteEffect } from './channel.ts';
import type { EdgeSyncEffect, EdgeSyncEvent } from './edge-sync.ts';
import type { Reason } from './frame.ts';
import type { StreamEffect, StreamEvent } from './stream-events.ts';

export type EdgeEvent =
  | { readonly type: 'start' }
  | { readonly type: 'stop' }
  | { readonly type: 'retry-now' }
  | { readonly type: 'path-open'; readonly path: number }
  | { readonly type: 'path-closed'; readonly path: number; readonly reason: string; readonly refused?: Reason }
  | { readonly type: 'message'; readonly path: number; readonly bytes: Uint8Array }
  /** The socket took so many bytes. */
  | { readonly type: 'written'; readonly path: number; readonly bytes: number }
  | { readonly type: 'number-stored'; readonly sessionNumber: number; readonly position: Position }
  | { readonly type: 'flush' }
  | { readonly type: 'tick' }
  | EdgeSyncEvent
  | StreamEvent;

export type EdgeEffect =
  | { readonly type: 'dial'; readonly path: number; readonly turn: number }
  | { readonly type: 'close-path'; readonly path: number; readonly code: number; readonly reason: string }
  | { readonly type: 'store-number'; readonly sessionNumber: number }
  | { readonly type: 'session-ended'; readonly reason: string }
  | { readonly type: 'status' }
  | WriteEffect
  | EdgeSyncEffect
  | StreamEffect;

export interface EdgeConfig {
  readonly sessionNumber: number;
  readonly heartbeatMs: number;
  /** How many paths to keep. */
  readonly paths: number;
  readonly random: () => number;
}
