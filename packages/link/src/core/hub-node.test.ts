import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CHALLENGE_MS, LINGER_MS } from '../limits.ts';
import { decodeFrames, encodeFrame, type Frame } from './frame.ts';
import type { Hello, HubEffect, HubEvent } from './hub-events.ts';
import { HubNode, stepHub } from './hub-node.ts';

const NO_KEY = new Uint8Array(0);
const KEY = new Uint8Array(16).fill(7);
const LIVE_PATH = 1;

type Step = HubEvent & { readonly at?: number };

/** Runs events against a hub whose node holds session 5 over path 1, alive at 0 ms; gives what comers were told. */
function check(steps: readonly Step[], expected: readonly string[]): void {
  let hub = openSession();
  const told: string[] = [];
  for (const { at = 0, ...event } of steps) {
    const [next, effects] = stepHub(hub, event, at);
    hub = next;
    told.push(...effects.flatMap(tell));
  }
  assert.deepEqual(told, expected);
}

function openSession(): HubNode {
  const hub = new HubNode();
  const events: HubEvent[] = [
    comes(LIVE_PATH, { sessionNumber: 4 }, 4),
    says(LIVE_PATH, { type: 'switch', generation: 1, first: 1 }),
    { type: 'number-stored', sessionNumber: 5 },
  ];
  return events.reduce((state, event) => stepHub(state, event, 0)[0], hub);
}

function comes(path: number, said: Partial<Hello>, stored = 5): HubEvent & { type: 'hello' } {
  const defaults = { lowest: 1, highest: 1, sessionNumber: 5, heartbeatMs: 5_000, received: 0, key: NO_KEY };
  const hello: Hello = { type: 'hello', joinOnly: false, ...defaults, ...said };
  return { type: 'hello', path, hello, stored, key: KEY };
}

function says(path: number, frame: Frame): HubEvent & { type: 'message' } {
  return { type: 'message', path, bytes: encodeFrame(frame) };
}

function tell(effect: HubEffect): string[] {
  switch (effect.type) {
    case 'write':
      return [...decodeFrames(effect.bytes)].map(({ frame }) => `${effect.path} ${describe(frame)}`);
    case 'copy':
      return [`copy ${effect.kind}: ${effect.comerNumber} comes, ${effect.currentNumber} is current`];
    case 'session-ended':
      return [`ended: ${effect.reason}`];
    default:
      return [];
  }
}

function describe(frame: Frame): string {
  if (frame.type === 'welcome') return `welcome ${frame.sessionNumber}${frame.resumed ? ' resumed' : ''}`;
  if (frame.type === 'refuse') return `refuse ${frame.reason}`;
  return frame.type;
}

/** A comer's sign of life, and a holder's to the first ping of its path. */
const alive = { type: 'pong', nonce: 0 } as const;
const pong = { type: 'pong', nonce: 1 } as const;

test('a comer replaces a session that does not answer for a second', () =>
  check(
    [comes(2, {}), says(2, alive), { type: 'tick', at: CHALLENGE_MS - 1 }, { type: 'tick', at: CHALLENGE_MS }],
    ['2 ping', '1 ping', '1 bye', 'ended: replaced by a newer session', '2 welcome 6'],
  ));

test('a comer replaces a session at once when its last path closes', () =>
  check(
    [comes(2, {}), { type: 'path-closed', path: LIVE_PATH, reason: 'reset' }],
    ['2 ping', '1 ping', 'ended: replaced by a newer session', '2 welcome 6'],
  ));

test('a comer beside a session that answers is a copy', () =>
  check(
    [comes(2, {}), says(2, alive), says(LIVE_PATH, pong)],
    ['2 ping', '1 ping', '2 refuse 2', 'copy live-session: 5 comes, 5 is current'],
  ));

test('a late greeting of a process that is gone is refused without suspicion', () =>
  check([comes(2, {}), says(LIVE_PATH, pong), { type: 'tick', at: CHALLENGE_MS }], ['2 ping', '1 ping', '2 refuse 1']));

test('an answer that was given at the door is no sign of life of the session that followed', () =>
  check(
    [
      comes(2, {}),
      { type: 'path-closed', path: LIVE_PATH, reason: 'reset' },
      comes(3, {}),
      says(2, alive),
      says(3, alive),
      { type: 'tick', at: CHALLENGE_MS },
    ],
    [
      '2 ping',
      '1 ping',
      'ended: replaced by a newer session',
      '2 welcome 6',
      '3 ping',
      '2 ping',
      '2 bye',
      'ended: replaced by a newer session',
      '3 welcome 6',
    ],
  ));

test('an answer to what was asked before a comer came says nothing to that comer', () =>
  check(
    [
      comes(2, {}),
      { ...comes(3, {}), at: 10 },
      { ...says(3, alive), at: 20 },
      { ...says(LIVE_PATH, pong), at: 30 },
      { type: 'path-closed', path: LIVE_PATH, reason: 'reset', at: 40 },
    ],
    ['2 ping', '1 ping', '3 ping', '1 ping', 'ended: replaced by a newer session', '3 welcome 6', '3 ping'],
  ));

test('a session that answers every time it is asked is not replaced, however many come', () =>
  check(
    [
      comes(2, {}),
      { ...comes(3, {}), at: CHALLENGE_MS - 100 },
      { ...says(LIVE_PATH, pong), at: CHALLENGE_MS - 10 },
      { ...says(LIVE_PATH, { type: 'pong', nonce: 2 }), at: 2 * CHALLENGE_MS - 20 },
      { type: 'tick', at: 2 * CHALLENGE_MS - 10 },
    ],
    ['2 ping', '1 ping', '3 ping', '1 ping', '2 refuse 1', '3 refuse 1'],
  ));

test('an old number is refused and flagged once the comer shows that it lives', () =>
  check(
    [comes(2, { sessionNumber: 4 }), says(2, alive)],
    ['2 ping', '2 refuse 2', 'copy old-number: 4 comes, 5 is current'],
  ));

test('an old number never gets in, however long the holder is away', () =>
  check(
    [
      { type: 'path-closed', path: LIVE_PATH, reason: 'reset' },
      { ...comes(2, { sessionNumber: 4 }), at: 1 },
      { type: 'tick', at: LINGER_MS + CHALLENGE_MS },
    ],
    ['2 ping', '2 refuse 1', 'ended: the edge cannot be reached'],
  ));

test('the number that the edge holds counts although the hub has not stored it yet', () =>
  check(
    [
      { type: 'path-closed', path: LIVE_PATH, reason: 'reset' },
      comes(2, { sessionNumber: 5 }, 4),
      says(2, { type: 'switch', generation: 1, first: 1 }),
      comes(3, { sessionNumber: 5 }, 5),
      says(3, alive),
    ],
    [
      'ended: replaced by a newer session',
      '2 welcome 6',
      '3 ping',
      '3 refuse 2',
      'copy old-number: 5 comes, 6 is current',
    ],
  ));

test('a hub that was restored from a backup goes on from the higher number of its edge', () =>
  check(
    [{ type: 'path-closed', path: LIVE_PATH, reason: 'reset' }, comes(2, { sessionNumber: 90 })],
    ['ended: replaced by a newer session', '2 welcome 91'],
  ));

test('whoever knows the key is one more path, without a challenge', () =>
  check([comes(2, { key: KEY, joinOnly: true })], ['2 welcome 5 resumed']));

test('a path that only wants to join begins no session', () =>
  check([comes(2, { key: new Uint8Array(16), joinOnly: true })], ['2 refuse 0']));

test('without a common version nobody is let in', () => check([comes(2, { lowest: 7, highest: 9 })], ['2 refuse 4']));

test('the fifth at the door is told to come again', () =>
  check(
    [2, 3, 4, 5, 6].map((path) => comes(path, {})),
    ['2 ping', '1 ping', '3 ping', '4 ping', '5 ping', '6 refuse 1'],
  ));

test('what a comer sends before its welcome ends the comer, not the session', () =>
  check(
    [comes(2, {}), says(2, { type: 'applied', bytes: 9 }), { type: 'tick', at: CHALLENGE_MS }],
    ['2 ping', '1 ping'],
  ));
