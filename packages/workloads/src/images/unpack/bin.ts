/**
 * A short-lived process that unpacks one image: hostile archives cost the agent neither memory nor time. Its job comes as JSON by
 * standard input, what came of it goes out the same way.
 */
import { text } from 'node:stream/consumers';
import { messageOf } from '@skerry/base';
import type { UnpackJob, UnpackOutcome } from './job.ts';
import { RefusedLayer, unpackLayers } from './unpack-layers.ts';

async function unpack(): Promise<UnpackOutcome> {
  const job = JSON.parse(await text(process.stdin)) as UnpackJob;
  try {
    await unpackLayers(job);
    return { result: 'unpacked' };
  } catch (error) {
    if (error instanceof RefusedLayer) return { result: 'refused', digest: error.digest, problem: error.message };
    return { result: 'failed', problem: messageOf(error) };
  }
}

unpack().then(
  (outcome) => process.stdout.write(JSON.stringify(outcome)),
  (error: unknown) => {
    process.stderr.write(`${messageOf(error)}\n`);
    process.exitCode = 1;
  },
);
