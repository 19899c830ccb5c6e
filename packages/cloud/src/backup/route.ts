/** `POST /skerry/v1/backup`: the archive as the answer, for whoever may do everything. */
import { StatusError } from '@skerry/api';
import type { ApiResponse, ExtraPath } from '@skerry/kube/server';
import { type BackupSource, createBackup } from './create.ts';

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
        body: createBackup(source, readPassphrase(body)),
      };
    },
  };
}

function readPassphrase(body: Uint8Array | undefined): string | undefined {
  if (body === undefined || body.length === 0) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(body).toString());
  } catch (cause) {
    throw new StatusError(400, 'BadRequest', 'the body must be {"passphrase": TEXT} or empty', undefined, { cause });
  }
  const passphrase =
    typeof value === 'object' && value !== null && 'passphrase' in value ? value.passphrase : undefined;
  if (passphrase === undefined) return undefined;
  if (typeof passphrase === 'string' && passphrase !== '' && passphrase.length <= MAX_PASSPHRASE_CHARACTERS)
    return passphrase;
  throw new StatusError(
    400,
    'BadRequest',
    `the passphrase must be a text of at most ${MAX_PASSPHRASE_CHARACTERS} characters`,
  );
}
