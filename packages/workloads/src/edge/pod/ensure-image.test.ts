import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeClock } from '@skerry/testkit';
import type { PullProgress } from '../../images/index.ts';
import { type PodRuntime, PullFailure, type PullTask, type ReadyImage, RuntimeRefusal } from '../runtime.ts';
import { ensureImage, ImageProblem } from './ensure-image.ts';
import type { Pod } from './types.ts';

const POD: Pod = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'default' },
  spec: { containers: [] },
};
const HERE: ReadyImage = { imageId: 'old', imageRef: 'old', sizeBytes: 10 };
const PULLED: ReadyImage = { imageId: 'new', imageRef: 'new', sizeBytes: 20 };
const PROGRESS: PullProgress = { totalBytes: 100, presentBytes: 40, receivedBytes: 30, layers: 3, layersPresent: 1 };

interface Given {
  readonly image?: string;
  readonly policy?: string;
  readonly here?: ReadyImage | Error;
  readonly pulls?: ReadyImage | Error;
  /** What the pull tells, and when. */
  readonly progress?: readonly { readonly after: number; readonly setback?: string }[];
}

/** Asks for an image and compares what came of it: the image or the reason it waits, and the events. */
async function check(given: Given, expected: string, events: readonly string[]): Promise<void> {
  const { image = 'web:1', policy, here, pulls = PULLED, progress = [] } = given;
  const clock = fakeClock();
  const told: string[] = [];
  const answer = (value: ReadyImage | Error | undefined) => {
    if (value instanceof Error) throw value;
    return value;
  };
  const pullImage = async ({ onProgress }: PullTask) => {
    for (const { after, setback } of progress) {
      await clock.advance(after);
      onProgress({ ...PROGRESS, ...(setback === undefined ? {} : { setback }) });
    }
    await clock.advance(1500);
    return answer(pulls) as ReadyImage;
  };
  const runtime = { findImage: async () => answer(here), pullImage } as Partial<PodRuntime> as PodRuntime;
  const result = await ensureImage({
    runtime,
    clock,
    pod: POD,
    container: { name: 'main', image, ...(policy === undefined ? {} : { imagePullPolicy: policy }) },
    read: async () => undefined,
    signal: new AbortController().signal,
    event: (type, reason, message) => void told.push(`${type} ${reason} ${message}`),
  }).then(
    ({ imageRef }) => imageRef,
    (error: unknown) => {
      assert.ok(error instanceof ImageProblem);
      return `${error.reason}: ${error.message}`;
    },
  );
  assert.equal(result, expected);
  assert.deepEqual(told, events);
}

const PULLING = 'Normal Pulling Pulling image "web:1"';
const DONE = 'Normal Pulled Successfully pulled image "web:1" in 1.5s (1.5s including waiting). Image size: 20 bytes.';
const unreachable = new PullFailure('registry.test is not reached', { isUnreachable: true });
const refused = new PullFailure('web:1 is not in registry.test');

test('an image that is here is used', () =>
  check({ here: HERE }, 'old', ['Normal Pulled Container image "web:1" already present on machine']));
test('an image that is not here is pulled, and its time and size are told', () => check({}, 'new', [PULLING, DONE]));
test('Always asks for what the name means now', () => check({ here: HERE, policy: 'Always' }, 'new', [PULLING, DONE]));
test('latest is asked for anew where no policy is set', () =>
  check({ here: HERE, image: 'web' }, 'new', ['Normal Pulling Pulling image "web"', DONE.replace('web:1', 'web')]));
test('what is here runs where nobody can be asked, and the pod is told', () =>
  check({ here: HERE, policy: 'Always', pulls: unreachable }, 'old', [
    PULLING,
    'Warning ImageNotRefreshed image "web:1" could not be pulled anew, the one that is present is used: registry.test is not reached',
  ]));
test('what is here does not run when the registry refuses the name', () =>
  check({ here: HERE, policy: 'Always', pulls: refused }, 'ErrImagePull: web:1 is not in registry.test', [
    PULLING,
    'Warning Failed Failed to pull image "web:1": web:1 is not in registry.test',
  ]));
test('a failed pull says why', () =>
  check({ pulls: unreachable }, 'ErrImagePull: registry.test is not reached', [
    PULLING,
    'Warning Failed Failed to pull image "web:1": registry.test is not reached',
  ]));
test('Never takes what is here and nothing else', async () => {
  await check({ here: HERE, policy: 'Never' }, 'old', [
    'Normal Pulled Container image "web:1" already present on machine',
  ]);
  const message = 'Container image "web:1" is not present with pull policy of Never';
  await check({ policy: 'Never' }, `ErrImageNeverPull: ${message}`, [`Warning ErrImageNeverPull ${message}`]);
});
test('a name that is none is never asked for', () => {
  const problem =
    'image name "Web:1" is not valid: it consists of lower-case letters and digits, with . _ - between them';
  const message = `Failed to apply default image tag "Web:1": ${problem}`;
  return check({ image: 'Web:1' }, `InvalidImageName: ${message}`, [`Warning InspectFailed ${message}`]);
});
test('a runtime that cannot run such an image says so', () =>
  check({ here: new RuntimeRefusal('ErrImagePull', 'only programs') }, 'ErrImagePull: only programs', [
    'Warning Failed Failed to pull image "web:1": only programs',
  ]));
test('a runtime that cannot answer is no missing image', () =>
  check({ here: new Error('no answer') }, 'ImageInspectError: Failed to inspect image "web:1": no answer', [
    'Warning InspectFailed Failed to inspect image "web:1": no answer',
  ]));
test('a program of the node is nothing to be told of', () =>
  check({ here: { imageId: 'host', imageRef: 'host' }, image: 'host', policy: 'Always' }, 'host', []));
test('a long pull tells how far it is, rarer and rarer', () => {
  const progress = [{ after: 19_000 }, { after: 1000 }, { after: 15_000 }, { after: 6000 }];
  const told = 'Normal Pulling Pulling image "web:1": 40 of 100 bytes are here, 1 of 3 layers';
  return check({ progress }, 'new', [PULLING, told, told, DONE.replaceAll('1.5s', '42.5s')]);
});
test('each new setback is told at once', () => {
  const setback = 'the link is gone';
  const progress = [{ after: 10, setback }, { after: 10, setback }, { after: 10 }];
  const told = `Warning PullInterrupted Pulling image "web:1": 40 of 100 bytes are here, 1 of 3 layers; goes on after: ${setback}`;
  return check({ progress }, 'new', [PULLING, told, DONE.replaceAll('1.5s', '1.53s')]);
});
