/** A process that writes until it is killed, and says on standard output what was acknowledged. Arguments: file, writers, first number. */
import { writeSync } from 'node:fs';
import { openTestStore } from './temporary-store.ts';

const [file = '', writers = '1', first = '0', count = 'Infinity'] = process.argv.slice(2);
const store = openTestStore(file, { retention: { minWrites: 50, maxWrites: 500, maxAgeMs: 0 } });
let next = Number(first);
const end = next + Number(count);

async function write(writer: number): Promise<void> {
  while (next < end) {
    const number = next++;
    // Some keys belong to all writers, so that commits hold several versions of one object.
    const key = `/configmaps/default/${number % 3 === 0 ? 'shared' : `own-${writer}`}-${number % 7}`;
    const { revision } = await store.put(key, JSON.stringify({ number }));
    writeSync(1, `${revision} ${key} ${number}\n`);
  }
}

await Promise.all(Array.from({ length: Number(writers) }, (_, writer) => write(writer)));
