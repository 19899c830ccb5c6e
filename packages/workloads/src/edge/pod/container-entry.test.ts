import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerSnapshot } from '../runtime.ts';
import { ContainerEntry } from './container-entry.ts';

/** `a0` is run a of attempt 0, `a0!` the same one after its end. */
function snapshot(text: string): ContainerSnapshot {
  const [, id = '', attempt = '', end] = /^(\w)(\d)(!?)$/.exec(text) ?? [];
  const labels = {
    namespace: 'n',
    pod: 'p',
    uid: 'u',
    container: 'c',
    attempt: Number(attempt),
    graceSeconds: 1,
    hash: '',
  };
  const exit = end === '!' ? { exit: { code: 0, finishedAt: 1 } } : {};
  return { id, labels, logPath: `${attempt}.log`, startedAt: 0, ...exit };
}

interface Expected {
  readonly current: string;
  readonly previous?: string;
  /** What nobody needs any more, in the order it was given back. */
  readonly dropped?: readonly string[];
}

function check(seen: readonly string[], { current, previous, dropped = [] }: Expected): void {
  const entry = new ContainerEntry({ name: 'c' } as ContainerEntry['container'], 'main');
  const given = seen.map((text) => entry.accept(snapshot(text))?.id).filter((id) => id !== undefined);
  assert.deepEqual(
    { current: entry.current?.id, previous: entry.previous?.id, dropped: given },
    { current, previous, dropped },
  );
}

test('the last two attempts are kept, in whatever order they are seen', () => {
  check(['a0', 'a0!', 'b1'], { current: 'b', previous: 'a' });
  check(['a0!', 'b1!', 'c2'], { current: 'c', previous: 'b', dropped: ['a'] });
  check(['c2', 'a0!', 'b1!'], { current: 'c', previous: 'b', dropped: ['a'] });
});

test('of two runs of one attempt the one that is known goes on, and the other is not needed', () => {
  check(['a0', 'b0'], { current: 'a', dropped: ['b'] });
  check(['a0', 'b0', 'b0!'], { current: 'a', dropped: ['b', 'b'] });
  check(['a0!', 'b1', 'c1'], { current: 'b', previous: 'a', dropped: ['c'] });
});
