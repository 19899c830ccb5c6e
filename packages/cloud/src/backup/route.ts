/** `POST /skerry/v1/backup`: the archive as the answer, for whoever may do everything. */
import { type Authorizer, StatusError } from '@skerry/api';
import type { ApiRequest, ApiResponse, ApiServer } from '@skerry/kube/server';
import { type BackupSource, createBackup } from './create.ts';

const BACKUP_PATH = '/skerry/v1/backup';
const MAX_PASSPHRASE_CHARACTERS = 1024;

/** The API server with one more route in front of it. */
export function withBackup(api: ApiServer, authorizer: Authorizer, source: BackupSource): ApiServer {
  return {
    ...api,
    handle: (request) => (request.path === BACKUP_PATH ? answer(request, authorizer, source) : api.handle(request)),
  };
}

async function answer(request: ApiRequest, authorizer: Authorizer, source: BackupSource): Promise<ApiResponse> {
  try {
    const passphrase = checkRequest(request, authorizer);
    return {
      status: 200,
      headers: { 'content-type': 'application/octet-stream' },
      body: createBackup(source, passphrase),
    };
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return { status: error.code, headers: { 'content-type': 'application/json' }, body: JSON.stringify(error.status) };
  }
}

function checkRequest({ method, user, path, body }: ApiRequest, authorizer: Authorizer): string | undefined {
  if (method !== 'POST') throw new StatusError(405, 'MethodNotAllowed', 'a backup is asked for with POST');
  // A backup holds every Secret: only a rule that allows everything allows it.
  if (!authorizer.authorize({ user, verb: 'post', path }).allowed) {
    throw new StatusError(403, 'Forbidden', `User "${user.username}" cannot post path "${path}"`);
  }
  return readPassphrase(body);
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
