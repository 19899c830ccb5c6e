import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LateWindow } from './late-window.ts';

interface Path {
  /** Of its narrowest place. */
  readonly bytesPerSecond: number;
  /** There and back, when nothing waits. */
  readonly delayMs: number;
}

/** A backlog on a path for a while: how much of the path it used, and how long a live value would have waited, 99 of 100. */
function run({ bytesPerSecond, delayMs }: Path): { readonly used: number; readonly waitMs: number } {
  const window = new LateWindow();
  const underway: { readonly end: number; readonly at: number }[] = [];
  const waits: number[] = [];
  let freeAt = 0;
  let sent = 0;
  let got = 0;
  const total = 60_000;
  for (let now = 0; now < total; now++) {
    for (let first = underway[0]; first !== undefined && first.at <= now; first = underway[0]) {
      underway.shift();
      got = first.end;
      window.onGot(got, now);
    }
    while (window.isOpen) {
      const bytes = window.pieceBytes(32_766);
      window.onSent(bytes, now);
      sent += bytes;
      freeAt = Math.max(freeAt, now) + (bytes * 1000) / bytesPerSecond;
      underway.push({ end: sent, at: freeAt + delayMs });
    }
    if (now > total / 6) waits.push(Math.max(0, freeAt - now));
  }
  waits.sort((a, b) => a - b);
  return { used: (got * 1000) / total / bytesPerSecond, waitMs: waits[Math.floor(waits.length * 0.99)] ?? 0 };
}

function check(path: Path): void {
  const { used, waitMs } = run(path);
  assert.ok(used > 0.7, `${used} of the path is used`);
  assert.ok(waitMs < 500, `a live value waits ${waitMs} ms`);
}

test('on a slow line, what waited leaves room for what is new', () => check({ bytesPerSecond: 20_000, delayMs: 50 }));
test('on a mobile network, too', () => check({ bytesPerSecond: 250_000, delayMs: 120 }));
test('on a satellite, too', () => check({ bytesPerSecond: 60_000, delayMs: 650 }));
test('on a fast and near one, too', () => check({ bytesPerSecond: 5_000_000, delayMs: 2 }));
