/** What happens to the streams of a session, what they ask to be done, and the frames they speak. */
import type { Lane, SessionFrame } from './frame.ts';

export type StreamEffect =
  | { readonly type: 'stream-opened'; readonly id: number; readonly lane: Lane; readonly header: Uint8Array }
  | { readonly type: 'stream-accepted'; readonly id: number }
  | { readonly type: 'stream-data'; readonly id: number; readonly bytes: Uint8Array }
  /** The peer sends no more. */
  | { readonly type: 'stream-ended'; readonly id: number }
  /** What waited to be sent is on its way. */
  | { readonly type: 'stream-room'; readonly id: number }
  /** Gone before its end: refused or aborted by the peer, or lost with the session. */
  | { readonly type: 'stream-aborted'; readonly id: number; readonly text: string }
  /** Both directions have ended. */
  | { readonly type: 'stream-closed'; readonly id: number };

export type StreamEvent =
  | { readonly type: 'stream-open'; readonly id: number; readonly header: Uint8Array; readonly lane?: Lane }
  | { readonly type: 'stream-accept'; readonly id: number }
  | { readonly type: 'stream-send'; readonly id: number; readonly bytes: Uint8Array }
  /** No more from here; `isFinal`: and nothing more is read. */
  | { readonly type: 'stream-end'; readonly id: number; readonly isFinal?: boolean }
  | { readonly type: 'stream-abort'; readonly id: number; readonly text: string }
  /** The reader took so many bytes in one message. */
  | { readonly type: 'stream-consumed'; readonly id: number; readonly bytes: number };

export type StreamFrame = Extract<SessionFrame, { type: 'open' | 'accept' | 'data' | 'credit' | 'end' | 'abort' }>;

export function isStreamFrame(frame: SessionFrame): frame is StreamFrame {
  switch (frame.type) {
    case 'open':
    case 'accept':
    case 'data':
    case 'credit':
    case 'end':
    case 'abort':
      return true;
    default:
      return false;
  }
}
