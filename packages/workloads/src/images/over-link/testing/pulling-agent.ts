/** A process that does of an agent what pulls need: a link, and images on disk. Its one argument says where; it ends with the pull. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { silentLogger, systemClock } from '@skerry/base';
import { createEdgeLink, type LinkTls } from '@skerry/link/node';
import { MemoryOutbox, MemoryReplica } from '@skerry/link/testing';
import { openImageStore } from '../../image-store.ts';
import { parseReference } from '../../reference.ts';
import { createLinkSource } from '../link-source.ts';

export interface AgentTask {
  readonly endpoint: string;
  readonly tls: LinkTls;
  readonly directory: string;
  readonly image: string;
}

const task = JSON.parse(process.argv[2] ?? '') as AgentTask;
const numberFile = join(task.directory, 'session-number');

function readNumber(): number {
  try {
    return Number(readFileSync(numberFile, 'utf8'));
  } catch {
    return 0;
  }
}

mkdirSync(task.directory, { recursive: true });
const link = createEdgeLink({
  endpoints: () => [task.endpoint],
  tls: () => task.tls,
  node: 'n1',
  replica: new MemoryReplica(),
  outbox: new MemoryOutbox(),
  streamHandler: () => Promise.reject(new Error('no streams here')),
  sessionNumbers: {
    load: readNumber,
    store: async (sessionNumber) => writeFileSync(numberFile, String(sessionNumber)),
  },
  clock: systemClock,
  log: silentLogger,
  random: Math.random,
});
link.start();
const images = await openImageStore(join(task.directory, 'images'), { clock: systemClock, log: silentLogger });
const source = createLinkSource((request, options) => link.openBlob(request, options));
for (;;) {
  try {
    await images.pull(source, parseReference(task.image), {
      platform: { os: 'linux', architecture: 'amd64' },
      onProgress: (progress) => process.stdout.write(`${JSON.stringify(progress)}\n`),
    });
    break;
  } catch (error) {
    // As after the pod's back-off.
    process.stdout.write(`${JSON.stringify({ failed: String(error) })}\n`);
    await systemClock.sleep(500);
  }
}
await link.stop();
