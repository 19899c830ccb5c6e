/** Lists in chunks: all of one moment, and what becomes of them once that moment is forgotten. */
import assert from 'node:assert/strict';
import type { KubeList, KubeObject } from '@skerry/api';
import { Refused } from '../api.ts';
import type { Collection } from '../collection.ts';
import type { Lab } from '../lab.ts';
import { type Requirement, requirement } from '../requirement.ts';

const COUNT = 40;
const CHUNKING = '[sig-api-machinery] Servers with support for API chunking should';

export const CHUNKS: readonly Requirement[] = [
  requirement(
    `${CHUNKING} return chunks of results for list calls`,
    'chunks are of one resourceVersion, hold each object once, say how many remain, and are no larger than asked for',
    inChunks,
  ),
  requirement(
    `${CHUNKING} support continue listing from the last key if the original version has been compacted away, though the list is inconsistent [Slow]`,
    'a token of a forgotten resourceVersion gets 410 with a fresh token, which goes on after the last object',
    afterCompaction,
  ),
];

async function inChunks(lab: Lab): Promise<void> {
  const templates = await filled(lab);
  const whole = await templates.list();
  assert.equal(whole.items.length, COUNT);
  for (const limit of [1, 7, COUNT - 1, COUNT]) {
    const seen: (string | undefined)[] = [];
    let query: Record<string, string> = { limit: String(limit) };
    let version: string | undefined;
    for (;;) {
      const page: KubeList = await templates.list(query);
      seen.push(...page.items.map(({ metadata }) => metadata.name));
      assert.ok(page.items.length <= limit);
      version ??= page.metadata.resourceVersion;
      assert.equal(page.metadata.resourceVersion, version);
      if (!page.metadata.continue) break;
      assert.equal(page.metadata.remainingItemCount, COUNT - seen.length);
      query = { limit: String(limit), continue: page.metadata.continue };
    }
    assert.deepEqual(
      seen,
      whole.items.map(({ metadata }) => metadata.name),
    );
  }
}

async function filled(lab: Lab): Promise<Collection<KubeObject>> {
  const templates = lab.of('PodTemplate');
  const spec = { containers: [{ name: 'main', image: 'busybox:1.36' }] };
  await Promise.all(
    Array.from({ length: COUNT }, (_, index) =>
      templates.create({ metadata: { name: `template-${String(index).padStart(4, '0')}` }, template: { spec } }),
    ),
  );
  return templates;
}

/** A server forgets a version after minutes, or at once after many writes. */
const FORGETS_MS = 15 * 60_000;

async function afterCompaction(lab: Lab): Promise<void> {
  const templates = await filled(lab);
  const first = await templates.list({ limit: '5' });
  const token = fromTheBeginning(first.metadata.continue ?? '');
  const fresh = await freshToken(templates, token);
  await templates.create({
    metadata: { name: 'template-zzzz' },
    template: { spec: { containers: [{ name: 'm', image: 'i' }] } },
  });
  const second = await templates.list({ limit: '5', continue: fresh });
  assert.equal(second.items[0]?.metadata.name, 'template-0005');
  // Of now, and no longer of the moment of the first.
  const rest = await templates.list({ continue: second.metadata.continue ?? '' });
  assert.equal(rest.items.at(-1)?.metadata.name, 'template-zzzz');
  assert.equal(first.items.length + second.items.length + rest.items.length, COUNT + 1);
}

/** The token as it would be, had the list begun at the first version of all. */
function fromTheBeginning(token: string): string {
  const { v, start } = JSON.parse(Buffer.from(token, 'base64url').toString()) as { v: string; start: string };
  return Buffer.from(JSON.stringify({ v, rv: 1, start })).toString('base64url');
}

async function freshToken(templates: Collection<KubeObject>, token: string): Promise<string> {
  const deadline = performance.now() + FORGETS_MS;
  while (performance.now() < deadline) {
    const refusal = await templates.list({ limit: '5', continue: token }).then(
      () => undefined,
      (error: unknown) => error,
    );
    if (refusal instanceof Refused) {
      assert.deepEqual([refusal.status.code, refusal.status.reason], [410, 'Expired']);
      const fresh = refusal.status.metadata?.continue;
      assert.ok(fresh, 'the Status has a token to go on with');
      return fresh;
    }
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
  throw new Error('the first version was not forgotten in time');
}
