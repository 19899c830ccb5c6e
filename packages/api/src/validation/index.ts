export { formatDuration, parseDuration } from '../durations.ts';
export { type CronSchedule, isTimeZone, lastCronTime, nextCronTime, parseCron } from './cron-schedule.ts';
export { applyKindDefaults } from './defaults/index.ts';
export { endpointAddressFault, isAddress } from './kinds/endpoint-address.ts';
export { type ValidateOptions, validateKind } from './kinds/index.ts';
export { type MetaRow, validateMeta } from './kinds/meta.ts';
export {
  checkCIdentifier,
  checkConfigKey,
  checkDns1035Label,
  checkDnsLabel,
  checkDnsSubdomain,
  checkEnvName,
  checkLabelValue,
  checkPathSegment,
  checkPortName,
  checkPortNumber,
  checkQualifiedName,
  MAX_ANNOTATIONS_BYTES,
} from './names.ts';
export {
  generationChanged,
  ignoredFields,
  isPodDone,
  prepareForCreate,
  prepareForUpdate,
  type QosClass,
  qosClass,
} from './strategy.ts';
