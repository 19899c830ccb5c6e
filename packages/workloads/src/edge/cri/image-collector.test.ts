import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MIN_UNUSED_MS } from '../pod/image-collection.ts';
import type { CriClient } from './client.ts';
import { ImageCollector } from './image-collector.ts';

const image = (id: string, more: object = {}) => ({ id, tags: [], digests: [], size: 1, pinned: false, ...more });

/** A runtime with one container, of the image `used`; looks at the times given, and says what was removed. */
async function check(looks: readonly number[], expected: readonly string[]): Promise<void> {
  const removed: string[] = [];
  const answers: Readonly<Record<string, (request: { image?: { image: string } }) => object>> = {
    ListImages: () => ({
      images: [
        image('used'),
        image('unused'),
        image('pinned', { pinned: true }),
        image('pause', { tags: ['pause:1'] }),
      ].filter(({ id }) => !removed.includes(id)),
    }),
    ListContainers: () => ({ containers: [{ imageRef: 'used' }] }),
    Status: () => ({ info: { config: JSON.stringify({ sandboxImage: 'pause:1' }) } }),
    RemoveImage: (request) => {
      removed.push(request.image?.image ?? '');
      return {};
    },
  };
  const cri = { call: async (method: string, request: object) => answers[method]?.(request) } as unknown as CriClient;
  let now = 0;
  const collector = new ImageCollector(cri, () => now);
  for (const at of looks) {
    now = at;
    await collector.collectAll();
  }
  assert.deepEqual(removed, expected);
}

test('a node short of disk removes what nobody uses and nothing else', () => check([0, MIN_UNUSED_MS], ['unused']));
test('what may have come for a pod just now stays', () => check([0, MIN_UNUSED_MS - 1], []));
