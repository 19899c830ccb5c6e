/** The files in which brokers keep sessions and messages: one a broker, gone with its object. */
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

export interface BrokerName {
  readonly namespace: string;
  readonly name: string;
}

/** Of this very object: what another of the same name has left is removed, because it was promised to nobody of this one. */
export async function keptFile(folder: string, broker: BrokerName & { readonly uid: string }): Promise<string> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const own = `${stem(broker)}_${broker.uid}.db`;
  await adopt(folder, broker, own);
  await removeOthers(folder, broker, own);
  return join(folder, own);
}

/** When the object is gone. What is not there is no error. */
export function removeKept(folder: string, broker: BrokerName): Promise<void> {
  return removeOthers(folder, broker, undefined);
}

/** Neither part of it can hold the mark between them. */
function stem({ namespace, name }: BrokerName): string {
  return `${namespace}_${name}`;
}

/** What SQLite puts beside a database. */
const SUFFIXES = ['', '-wal', '-shm'] as const;

/** Files of before had no uid in their name. */
async function adopt(folder: string, broker: BrokerName, own: string): Promise<void> {
  const names = new Set(await readdir(folder));
  if (names.has(own)) return;
  for (const suffix of SUFFIXES) {
    const old = `${stem(broker)}.db${suffix}`;
    if (names.has(old)) await rename(join(folder, old), join(folder, `${own}${suffix}`));
  }
}

async function removeOthers(folder: string, broker: BrokerName, own: string | undefined): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  const others = names.filter((name) => isOf(name, broker) && (own === undefined || !name.startsWith(own)));
  await Promise.all(others.map((name) => rm(join(folder, name), { force: true })));
}

function isOf(file: string, broker: BrokerName): boolean {
  return file.startsWith(`${stem(broker)}_`) || SUFFIXES.some((suffix) => file === `${stem(broker)}.db${suffix}`);
}
