/** ConfigMaps and Secrets. */
import { at, isObject, type JsonObject, jsonEqual, objectAt, textAt } from '../../json.ts';
import { forbidden, invalid, required, tooLong } from '../../walker/field-errors.ts';
import { checkConfigKey } from '../names.ts';
import { type Faults, problems } from './checks.ts';
import { byteLength } from './meta.ts';
import { immutable, type KindRules } from './rules.ts';

/** All values of one object together. */
const MAX_DATA_BYTES = 1024 * 1024;

export const configRules: Readonly<Record<string, KindRules>> = {
  '/ConfigMap': {
    check: checkConfigMap,
    update: (faults, config, old) => checkFrozen(faults, config, old, ['data', 'binaryData']),
  },
  '/Secret': {
    check: checkSecret,
    update: (faults, secret, old) => {
      immutable('type')(faults, secret, old);
      checkFrozen(faults, secret, old, ['data']);
    },
  },
};

function checkConfigMap(faults: Faults, config: JsonObject): void {
  const data = objectAt(config, 'data');
  const binary = objectAt(config, 'binaryData');
  let bytes = 0;
  for (const [key, value] of Object.entries(data)) {
    problems(faults, `data[${key}]`, key, checkConfigKey(key));
    if (Object.hasOwn(binary, key)) faults.push(invalid(`data[${key}]`, key, 'duplicate of key present in binaryData'));
    bytes += byteLength(String(value));
  }
  for (const [key, value] of Object.entries(binary)) {
    problems(faults, `binaryData[${key}]`, key, checkConfigKey(key));
    bytes += decodedLength(value);
  }
  if (bytes > MAX_DATA_BYTES) faults.push(tooLong('', MAX_DATA_BYTES));
}

/** What each type of secret must hold. */
const NEEDED_KEYS: Readonly<Record<string, readonly string[]>> = {
  'kubernetes.io/dockercfg': ['.dockercfg'],
  'kubernetes.io/dockerconfigjson': ['.dockerconfigjson'],
  'kubernetes.io/ssh-auth': ['ssh-privatekey'],
  'kubernetes.io/tls': ['tls.crt', 'tls.key'],
};

const ACCOUNT_NAME = 'kubernetes.io/service-account.name';

function checkSecret(faults: Faults, secret: JsonObject): void {
  const data = objectAt(secret, 'data');
  let bytes = 0;
  for (const [key, value] of Object.entries(data)) {
    problems(faults, `data[${key}]`, key, checkConfigKey(key));
    bytes += decodedLength(value);
  }
  if (bytes > MAX_DATA_BYTES) faults.push(tooLong('data', MAX_DATA_BYTES));
  const type = textAt(secret, 'type');
  for (const key of NEEDED_KEYS[type] ?? []) if (!Object.hasOwn(data, key)) faults.push(required(`data[${key}]`));
  if (
    type === 'kubernetes.io/service-account-token' &&
    textAt(secret, 'metadata', 'annotations', ACCOUNT_NAME) === ''
  ) {
    faults.push(required(`metadata.annotations[${ACCOUNT_NAME}]`));
  }
  if (type === 'kubernetes.io/basic-auth' && data['username'] === undefined && data['password'] === undefined) {
    faults.push(required('data[username]'), required('data[password]'));
  }
  checkDockerConfig(faults, data, type);
}

function checkDockerConfig(faults: Faults, data: JsonObject, type: string): void {
  const key = type === 'kubernetes.io/dockerconfigjson' ? '.dockerconfigjson' : '.dockercfg';
  if (!type.startsWith('kubernetes.io/dockerc') || typeof data[key] !== 'string') return;
  // The value is a secret, so the message says what it should be, not what it is.
  if (!isJsonObject(data[key]))
    faults.push(invalid(`data[${key}]`, '<secret contents redacted>', 'must be a JSON object'));
}

function isJsonObject(base64: string): boolean {
  try {
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    return isObject(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return false;
  }
}

/** The bytes that a base64 text stands for. */
function decodedLength(value: unknown): number {
  return typeof value === 'string' ? Math.floor((value.replace(/=+$/, '').length * 3) / 4) : 0;
}

/** Once `immutable` is set, it and the data stay. */
function checkFrozen(faults: Faults, object: JsonObject, old: JsonObject, fields: readonly string[]): void {
  if (old['immutable'] !== true) return;
  const because = 'field is immutable when `immutable` is set';
  if (object['immutable'] !== true) faults.push(forbidden('immutable', because));
  for (const field of fields) {
    if (!jsonEqual(at(object, field) ?? {}, at(old, field) ?? {})) faults.push(forbidden(field, because));
  }
}
