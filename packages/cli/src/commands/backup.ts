/** `skerry backup FILE`: an online copy of the whole cloud, streamed from the running one. */
import { createWriteStream } from 'node:fs';
import { readFile, rename, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { pipeline } from 'node:stream/promises';
import type { Status } from '@skerry/api';
import { messageOf } from '@skerry/base';
import { type ConnectionFlags, findCloud } from '../connection.ts';
import { type CliContext, cliErrors } from '../context.ts';

export interface BackupFlags extends ConnectionFlags {
  readonly passphraseFile?: string;
  readonly withoutKeys?: boolean;
}

export const LEAST_PASSPHRASE_CHARACTERS = 12;
const TIMEOUT_MS = 600_000;
/** The cloud's door for it; a path of its own, because a backup is no resource. */
const BACKUP_PATH = '/skerry/v1/backup';

export async function backup(context: CliContext, file: string, flags: BackupFlags): Promise<void> {
  const passphrase = flags.withoutKeys === true ? undefined : await readPassphrase(context, flags.passphraseFile);
  const { connection } = await findCloud(context, flags);
  const partial = `${file}.partial`;
  try {
    await download(connection, partial, passphrase);
    await rename(partial, file);
  } catch (cause) {
    await rm(partial, { force: true });
    throw cliErrors.BACKUP_FAILED({ server: connection.server, reason: messageOf(cause) }, { cause });
  }
  const keys =
    passphrase === undefined ? 'without the CA and the key of the Secrets' : 'with CA and keys under the passphrase';
  context.say(`skerry: ${file} holds the cloud ${keys}; 'skerry restore ${file} --data-dir DIR' brings it back\n`);
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

type Connection = Awaited<ReturnType<typeof findCloud>>['connection'];

function download(connection: Connection, file: string, passphrase: string | undefined): Promise<void> {
  const { server, ca, cert, key } = connection;
  const token = typeof connection.token === 'function' ? connection.token() : connection.token;
  const headers = {
    'content-type': 'application/json',
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  return new Promise((resolve, reject) => {
    const asked = request(
      new URL(BACKUP_PATH, server),
      { method: 'POST', ca, cert, key, headers, timeout: TIMEOUT_MS },
      (response) => {
        if (response.statusCode === 200) {
          pipeline(response, createWriteStream(file, { mode: 0o600, flush: true })).then(resolve, reject);
          return;
        }
        refusalIn(response).then((text) => reject(new Error(text)), reject);
      },
    );
    asked.on('error', reject).on('timeout', () => asked.destroy(new Error('it did not answer in time')));
    asked.end(JSON.stringify(passphrase === undefined ? {} : { passphrase }));
  });
}

/** More than that is no Status. */
const MAX_REFUSAL_CHARACTERS = 64 * 1024;

async function refusalIn(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response) {
    text += String(chunk);
    if (text.length > MAX_REFUSAL_CHARACTERS) break;
  }
  try {
    return (JSON.parse(text) as Status).message ?? text;
  } catch {
    return `it answered ${response.statusCode}`;
  }
}
