export { applyKindDefaults } from './defaults/index.ts';
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
