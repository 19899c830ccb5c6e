/** Volumes of a pod: one source each, with what the source needs. */
import { isObject, type JsonObject, objectAt } from '../../json.ts';
import { forbidden, invalid, required } from '../../walker/field-errors.ts';
import { checkConfigKey, checkDnsLabel, checkDnsSubdomain } from '../names.ts';
import { eachItem, type Faults, named, oneOf, present, problems, Unique } from './checks.ts';
import { checkFieldRef, checkRelative } from './container.ts';

const MAX_MODE = 0o777;
const MIN_TOKEN_SECONDS = 600;
const MAX_TOKEN_SECONDS = 2 ** 32;
const DOWNWARD_FIELDS = [
  'metadata.name',
  'metadata.namespace',
  'metadata.labels',
  'metadata.annotations',
  'metadata.uid',
];
const HOST_PATH_TYPES = [
  '',
  'DirectoryOrCreate',
  'Directory',
  'FileOrCreate',
  'File',
  'Socket',
  'CharDevice',
  'BlockDevice',
];

/** Fields without which a source means nothing. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  secret: ['secretName'],
  configMap: ['name'],
  hostPath: ['path'],
  persistentVolumeClaim: ['claimName'],
  ephemeral: ['volumeClaimTemplate'],
  nfs: ['server', 'path'],
  csi: ['driver'],
  iscsi: ['targetPortal', 'iqn'],
};

/** Checks the volumes and gives back their names. */
export function checkVolumes(faults: Faults, path: string, volumes: unknown): ReadonlySet<string> {
  const names = new Set<string>();
  const unique = new Unique(faults);
  for (const [volume, at] of eachItem(faults, path, volumes)) {
    const { name, ...sources } = volume;
    named(faults, `${at}.name`, name, checkDnsLabel);
    if (typeof name === 'string' && name !== '') {
      unique.add(`${at}.name`, name);
      names.add(name);
    }
    checkSource(faults, at, sources);
  }
  return names;
}

function checkSource(faults: Faults, path: string, sources: JsonObject): void {
  const [kind, ...more] = Object.keys(sources).filter((source) => isObject(sources[source]));
  if (kind === undefined) {
    faults.push(required(path, 'must specify a volume type'));
    return;
  }
  for (const extra of more) faults.push(forbidden(`${path}.${extra}`, 'may not specify more than 1 volume type'));
  const source = objectAt(sources, kind);
  const at = `${path}.${kind}`;
  for (const field of NEEDED[kind] ?? []) present(faults, `${at}.${field}`, source[field]);
  checkMode(faults, `${at}.defaultMode`, source['defaultMode']);
  if (kind === 'hostPath') checkHostPath(faults, at, source);
  if (kind === 'secret' || kind === 'configMap') checkItems(faults, `${at}.items`, source['items']);
  if (kind === 'downwardAPI') checkDownward(faults, `${at}.items`, source['items']);
  if (kind === 'projected') checkProjected(faults, `${at}.sources`, source['sources']);
}

function checkMode(faults: Faults, path: string, mode: unknown): void {
  if (typeof mode !== 'number' || (mode >= 0 && mode <= MAX_MODE)) return;
  faults.push(invalid(path, mode, 'must be a number between 0 and 0777 (octal), both inclusive'));
}

function checkHostPath(faults: Faults, path: string, source: JsonObject): void {
  if (typeof source['path'] === 'string' && source['path'].split('/').includes('..')) {
    faults.push(invalid(`${path}.path`, source['path'], "must not contain '..'"));
  }
  oneOf(faults, `${path}.type`, source['type'], HOST_PATH_TYPES);
}

function checkItems(faults: Faults, path: string, items: unknown): void {
  for (const [item, at] of eachItem(faults, path, items)) {
    if (present(faults, `${at}.key`, item['key']))
      problems(faults, `${at}.key`, item['key'], checkConfigKey(String(item['key'])));
    checkFilePath(faults, `${at}.path`, item['path']);
    checkMode(faults, `${at}.mode`, item['mode']);
  }
}

function checkFilePath(faults: Faults, path: string, value: unknown): void {
  if (!present(faults, path, value)) return;
  checkRelative(faults, path, value);
  // Names that begin with two dots are the agent's own, for atomic updates.
  if (/^\.\.[^/]/.test(String(value))) faults.push(invalid(path, value, "must not start with '..'"));
}

function checkDownward(faults: Faults, path: string, items: unknown): void {
  for (const [item, at] of eachItem(faults, path, items)) {
    checkFilePath(faults, `${at}.path`, item['path']);
    checkMode(faults, `${at}.mode`, item['mode']);
    const { fieldRef, resourceFieldRef } = item;
    if (isObject(fieldRef)) {
      checkFieldRef(faults, `${at}.fieldRef`, fieldRef, DOWNWARD_FIELDS);
      if (isObject(resourceFieldRef))
        faults.push(invalid(at, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'));
    } else if (isObject(resourceFieldRef))
      present(faults, `${at}.resourceFieldRef.containerName`, resourceFieldRef['containerName']);
    else faults.push(required(at, 'one of fieldRef and resourceFieldRef is required'));
  }
}

function checkProjected(faults: Faults, path: string, sources: unknown): void {
  for (const [source, at] of eachItem(faults, path, sources)) {
    const [kind, ...more] = Object.keys(source).filter((name) => isObject(source[name]));
    for (const extra of more) faults.push(forbidden(`${at}.${extra}`, 'may not specify more than 1 volume type'));
    if (kind === undefined) continue;
    const body = objectAt(source, kind);
    const bodyAt = `${at}.${kind}`;
    if (kind === 'secret' || kind === 'configMap') {
      named(faults, `${bodyAt}.name`, body['name'], checkDnsSubdomain);
      checkItems(faults, `${bodyAt}.items`, body['items']);
    } else if (kind === 'downwardAPI') checkDownward(faults, `${bodyAt}.items`, body['items']);
    else if (kind === 'serviceAccountToken') checkToken(faults, bodyAt, body);
  }
}

function checkToken(faults: Faults, path: string, { path: file, expirationSeconds }: JsonObject): void {
  checkFilePath(faults, `${path}.path`, file);
  if (typeof expirationSeconds !== 'number') return;
  if (expirationSeconds < MIN_TOKEN_SECONDS) {
    faults.push(
      invalid(`${path}.expirationSeconds`, expirationSeconds, 'may not specify a duration less than 10 minutes'),
    );
  } else if (expirationSeconds > MAX_TOKEN_SECONDS) {
    faults.push(
      invalid(`${path}.expirationSeconds`, expirationSeconds, 'may not specify a duration larger than 2^32 seconds'),
    );
  }
}
