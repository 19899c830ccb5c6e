import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLogger } from '@skerry/base';
import { imageCrds } from '../../cloud/image-crds.ts';
import { CUSTOM_RESOURCE_DEFINITIONS } from '../../cloud/resources.ts';
import { type ScratchCloud, scratchCloud } from '../../cloud/testing/scratch-cloud.ts';
import { IMAGE_PULL_TASKS, type ImagePullTask, type ImagePullTaskSpec } from '../../image-kinds/index.ts';
import { type PodRuntime, PullFailure, type PullTask, type ReadyImage } from '../runtime.ts';
import { createImagePuller } from './index.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;

/** A runtime that only pulls, as each test says. */
class FakeRuntime {
  readonly pulled: string[] = [];
  readonly present = new Set<string>();
  answer: (task: PullTask) => Promise<ReadyImage> = async () => ({ imageId: DIGEST, imageRef: DIGEST, sizeBytes: 100 });

  get runtime(): PodRuntime {
    const pulling = {
      name: 'fake',
      findImage: async (image: string) => (this.present.has(image) ? { imageId: DIGEST, imageRef: DIGEST } : undefined),
      pullImage: (task: PullTask) => {
        this.pulled.push(task.image);
        return this.answer(task);
      },
    };
    return pulling as Partial<PodRuntime> as PodRuntime;
  }
}

interface Node extends AsyncDisposable {
  readonly cloud: ScratchCloud;
  readonly fake: FakeRuntime;
  apply(spec: Partial<ImagePullTaskSpec>): Promise<void>;
  /** The status, once it is as wanted; time goes on meanwhile. */
  until(what: string, isSo: (task: ImagePullTask) => boolean): Promise<NonNullable<ImagePullTask['status']>>;
}

async function pullingNode(): Promise<Node> {
  const cloud = await scratchCloud();
  for (const definition of imageCrds()) await cloud.client.create(CUSTOM_RESOURCE_DEFINITIONS, definition);
  await cloud.until('the kinds are served', () => cloud.client.list(IMAGE_PULL_TASKS).catch(() => undefined));
  const fake = new FakeRuntime();
  const stopping = new AbortController();
  const { client, clock, context } = cloud;
  const puller = createImagePuller({
    client,
    nodeName: 'edge-1',
    runtimes: { known: [fake.runtime], serving: [fake.runtime], onArrival: () => ({ [Symbol.dispose]: () => {} }) },
    clock,
    log: silentLogger,
    recorder: context.recorder('skerry-edge'),
  });
  const running = puller.run(stopping.signal);
  const ref = { gvr: IMAGE_PULL_TASKS, namespace: 'shop', name: 'web-edge-1' };
  return {
    cloud,
    fake,
    apply: async (spec) => {
      const task = {
        apiVersion: 'apps.skerry.io/v1alpha1',
        kind: 'ImagePullTask',
        metadata: { namespace: 'shop', name: ref.name },
      };
      const full = { nodeName: 'edge-1', images: ['web:1'], ...spec };
      await client.patch(ref, { ...task, spec: full }, { type: 'apply', fieldManager: 'test' });
    },
    until: async (what, isSo) => {
      const found = await cloud.until(what, async () => {
        const task = await cloud.find<ImagePullTask>(ref);
        await clock.advance(1000);
        return task !== undefined && isSo(task) && task;
      });
      return found.status ?? {};
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort();
      await running;
      await cloud[Symbol.asyncDispose]();
    },
  };
}

const isEnded = ({ status, metadata }: ImagePullTask) =>
  status?.observedGeneration === metadata.generation && (status?.phase === 'Pulled' || status?.phase === 'Failed');

test('images come one after the other, and the status says what the node holds', async () => {
  await using node = await pullingNode();
  await node.apply({ images: ['web:1', 'api:2'] });
  const status = await node.until('all is there', isEnded);
  assert.deepEqual(node.fake.pulled, ['web:1', 'api:2']);
  assert.equal(status.phase, 'Pulled');
  assert.equal(status.progress, '100%');
  const state = { phase: 'Pulled', digest: DIGEST, totalBytes: 100, presentBytes: 100 };
  assert.deepEqual(status.images, [
    { image: 'web:1', ...state },
    { image: 'api:2', ...state },
  ]);
});

test('progress is told while an image comes', async () => {
  await using node = await pullingNode();
  const { promise, resolve } = Promise.withResolvers<ReadyImage>();
  node.fake.answer = (task) => {
    const tell = () => {
      task.onProgress({
        totalBytes: 100,
        presentBytes: 45,
        receivedBytes: 45,
        layers: 1,
        layersPresent: 0,
        setback: 'it broke',
      });
      if (!task.signal.aborted) node.cloud.clock.after(1000, tell);
    };
    tell();
    return promise;
  };
  await node.apply({});
  const status = await node.until('it is told', (task) => task.status?.progress === '45%');
  assert.deepEqual(status.images?.[0], {
    image: 'web:1',
    phase: 'Pulling',
    totalBytes: 100,
    presentBytes: 45,
    reason: 'Interrupted',
    message: 'it broke',
  });
  resolve({ imageId: DIGEST, imageRef: DIGEST });
  await node.until('it is there', isEnded);
});

test('a registry that is not reached is tried again, one that refuses is not', async () => {
  await using node = await pullingNode();
  let isAway = true;
  node.fake.answer = async ({ image }) => {
    if (image === 'bad:1') throw new PullFailure('no such image');
    if (isAway) throw new PullFailure('it is away', { isUnreachable: true });
    return { imageId: DIGEST, imageRef: DIGEST };
  };
  await node.apply({ images: ['web:1', 'bad:1'] });
  const waiting = await node.until('it waits', (task) => task.status?.reason === 'Unreachable');
  assert.equal(waiting.phase, 'Pulling');
  isAway = false;
  const status = await node.until('it ends', isEnded);
  assert.equal(status.phase, 'Failed');
  assert.equal(status.reason, 'ErrImagePull');
  assert.deepEqual(
    status.images?.map(({ phase, message }) => [phase, message]),
    [
      ['Pulled', undefined],
      ['Failed', 'no such image'],
    ],
  );
  assert.equal(node.fake.pulled.filter((image) => image === 'bad:1').length, 1);
});

test('what is present counts while nobody can be asked for a newer one', async () => {
  await using node = await pullingNode();
  node.fake.present.add('web:1');
  node.fake.answer = () => Promise.reject(new PullFailure('it is away', { isUnreachable: true }));
  await node.apply({});
  const status = await node.until('it ends', isEnded);
  assert.equal(status.images?.[0]?.reason, 'NotRefreshed');
});

test('a task that is cancelled or changed ends what it was at', async () => {
  await using node = await pullingNode();
  const signals: AbortSignal[] = [];
  node.fake.answer = ({ signal }) => {
    signals.push(signal);
    return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
  };
  await node.apply({});
  await node.until('it is at it', ({ status }) => status?.phase === 'Pulling');
  await node.apply({ images: ['web:2'] });
  await node.until(
    'it is at the other',
    ({ status }) => status?.images?.[0]?.image === 'web:2' && signals.length === 2,
  );
  assert.equal(signals[0]?.aborted, true);
  await node.apply({ images: ['web:2'], cancelled: true });
  const status = await node.until('it is given up', isEnded);
  assert.equal(signals[1]?.aborted, true);
  assert.deepEqual([status.phase, status.reason], ['Failed', 'Cancelled']);
});

test('what has ended is not begun again by an agent that starts anew', async () => {
  await using node = await pullingNode();
  await node.apply({});
  await node.until('it is there', isEnded);
  await node.cloud.client.patch(
    { gvr: IMAGE_PULL_TASKS, namespace: 'shop', name: 'web-edge-1' },
    { metadata: { labels: { touched: 'yes' } } },
    { type: 'merge' },
  );
  await node.cloud.calm();
  assert.deepEqual(node.fake.pulled, ['web:1']);
});
