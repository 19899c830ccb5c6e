/** `POST /skerry/v1/backup`: the archive as the answer, for whoever may do everything. */
import { StatusError } from '@skerry/api';
import type { ApiResponse, ExtraPath } from '@skerry/kube/server';
import { type BackupSource, type BackupWishes, createBackup } from './create.ts';

const MAX_PASSPHRASE_CHARACTERS = 1024;

/** The API server authorizes the path: only a rule that allows everything allows this. */
export function backupPath(source: BackupSource): ExtraPath {
  return {
    path: '/skerry/v1/backup',
    handle: ({ method, body }): ApiResponse => {
      if (method !== 'POST') throw new StatusError(405, 'MethodNotAllowed', 'a backup is asked for with POST');
      return {
        status: 200,
        headers: { 'content-type': 'application/octet-stream' },
        body: createBackup(source, readWishes(body)),
      };
    },
  };
}

function readWishes(body: Uint8Array | undefined): BackupWishes {
  if (body === undefined || body.length === 0) return { series: true };
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body).toString());
  } catch (cause) {
    const message = 'the body must be {"passphrase": TEXT, "series": false} or empty';
    throw new StatusError(400, 'BadRequest', message, undefined, { cause });
  }
  const wished = typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
  const { passphrase, series = true } = wished;
  if (typeof series !== 'boolean') throw new StatusError(400, 'BadRequest', 'series must be true or false');
  if (passphrase === undefined) return { series };
  if (typeof passphrase === 'string' && passphrase !== '' && passphrase.length <= MAX_PASSPHRASE_CHARACTERS)
    return { series, passphrase };
  throw new StatusError(
    400,
    'BadRequest',
    `the passphrase must be a text of at most ${MAX_PASSPHRASE_CHARACTERS} characters`,
  );
}
