/** The query of a write: dryRun, fieldManager, fieldValidation, force. */
import type { FieldError } from '@skerry/api';
import type { ApiRequest } from './contract.ts';
import { badRequest, invalid } from './statuses.ts';

export type FieldValidation = 'Strict' | 'Warn' | 'Ignore';

export interface WriteOptions {
  readonly dryRun: boolean;
  readonly fieldManager: string;
  readonly fieldValidation: FieldValidation;
  readonly force: boolean;
}

/** The longest field manager name (apimachinery). */
const MAX_FIELD_MANAGER_LENGTH = 128;

const FIELD_VALIDATIONS: readonly string[] = ['Strict', 'Warn', 'Ignore'];

export type OptionsKind = 'CreateOptions' | 'UpdateOptions' | 'PatchOptions' | 'DeleteOptions';

export function parseWriteOptions(request: Pick<ApiRequest, 'query' | 'headers'>, kind: OptionsKind): WriteOptions {
  const { query } = request;
  const dryRun = query.getAll('dryRun');
  const fieldValidation = query.get('fieldValidation') || 'Warn';
  const fieldManager = query.get('fieldManager') ?? '';
  const faults = [
    ...dryRun.filter((value) => value !== 'All' && value !== '').map((value) => unsupported('dryRun', value, ['All'])),
    ...(FIELD_VALIDATIONS.includes(fieldValidation)
      ? []
      : [unsupported('fieldValidation', fieldValidation, FIELD_VALIDATIONS)]),
    ...faultsOfManager(fieldManager),
  ];
  if (faults.length > 0) throw invalid({ group: 'meta.k8s.io', version: 'v1', kind }, '', faults);
  return {
    dryRun: dryRun.includes('All'),
    fieldManager: fieldManager || managerOfUserAgent(request.headers['user-agent']),
    fieldValidation: fieldValidation as FieldValidation,
    force: query.get('force') === 'true',
  };
}

/** The options as an object of `meta.k8s.io`, as admission is told of them. */
export function optionsObject(
  { dryRun, fieldManager, force }: WriteOptions,
  kind: OptionsKind,
): Readonly<Record<string, unknown>> {
  return {
    kind,
    apiVersion: 'meta.k8s.io/v1',
    ...(dryRun ? { dryRun: ['All'] } : {}),
    fieldManager,
    ...(kind === 'PatchOptions' && force ? { force } : {}),
  };
}

/** An integer of the query; undefined when it is absent. */
export function integerOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^-?\d{1,15}$/.test(text)) {
    throw badRequest(`unable to decode query: strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  return Number(text);
}

export function unsupported(path: string, value: string, supported: readonly string[]): FieldError {
  const list = supported.map((one) => JSON.stringify(one)).join(', ');
  return {
    reason: 'FieldValueNotSupported',
    path,
    message: `${path}: Unsupported value: ${JSON.stringify(value)}: supported values: ${list}`,
  };
}

function faultsOfManager(fieldManager: string): FieldError[] {
  if (fieldManager.length <= MAX_FIELD_MANAGER_LENGTH) return [];
  const text = `may not be more than ${MAX_FIELD_MANAGER_LENGTH} bytes`;
  return [{ reason: 'FieldValueTooLong', path: 'fieldManager', message: `fieldManager: Too long: ${text}` }];
}

/** Without a fieldManager, the part of the user agent before its version names the writer. */
function managerOfUserAgent(userAgent: string | undefined): string {
  const name = (userAgent ?? '').split('/')[0]?.replaceAll(/[^\x20-\x7e]/g, '') ?? '';
  return name.slice(0, MAX_FIELD_MANAGER_LENGTH) || 'unknown';
}
