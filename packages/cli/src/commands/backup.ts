/** `skerry backup FILE`: an online copy of the whole cloud, streamed from the running one. */
import { createWriteStream } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { messageOf } from '@skerry/base';
import { askPath, type Connection } from '../cloud-path.ts';
import { type ConnectionFlags, findCloud } from '../connection.ts';
import { type CliContext, cliErrors } from '../context.ts';

export interface BackupFlags extends ConnectionFlags {
  readonly passphraseFile?: string;
  readonly withoutKeys?: boolean;
  readonly withoutSeries?: boolean;
}

export const LEAST_PASSPHRASE_CHARACTERS = 12;
/** The cloud's door for it; a path of its own, because a backup is no resource. */
const BACKUP_PATH = '/skerry/v1/backup';

export async function backup(context: CliContext, file: string, flags: BackupFlags): Promise<void> {
  const passphrase = flags.withoutKeys === true ? undefined : await readPassphrase(context, flags.passphraseFile);
  const { connection } = await findCloud(context, flags);
  const partial = `${file}.partial`;
  try {
    await download(connection, partial, { passphrase, series: flags.withoutSeries !== true });
    await rename(partial, file);
  } catch (cause) {
    await rm(partial, { force: true });
    throw cliErrors.BACKUP_FAILED({ server: connection.server, reason: messageOf(cause) }, { cause });
  }
  const keys =
    passphrase === undefined ? 'without the CA and the key of the Secrets' : 'with CA and keys under the passphrase';
  const series = flags.withoutSeries === true ? ', no time series' : '';
  context.say(
    `skerry: ${file} holds the cloud ${keys}${series}; 'skerry restore ${file} --data-dir DIR' brings it back\n`,
  );
}

/** From the file, else asked on the terminal. */
export async function readPassphrase(context: CliContext, file: string | undefined): Promise<string> {
  const text =
    file === undefined ? await context.askSecret?.('Passphrase: ') : (await readFile(file, 'utf8')).trimEnd();
  if (text === undefined || text === '') throw cliErrors.PASSPHRASE_MISSING();
  if (text.length < LEAST_PASSPHRASE_CHARACTERS)
    throw cliErrors.PASSPHRASE_SHORT({ least: LEAST_PASSPHRASE_CHARACTERS });
  return text;
}

interface Wishes {
  readonly passphrase: string | undefined;
  readonly series: boolean;
}

async function download(connection: Connection, file: string, body: Wishes): Promise<void> {
  const response = await askPath(connection, { method: 'POST', path: BACKUP_PATH, body });
  await pipeline(response, createWriteStream(file, { mode: 0o600, flush: true }));
}
