export {
  type ApplyRequest,
  type ApplyResult,
  apply,
  conflictError,
  type FieldConflict,
  trackUpdate,
  type UpdateRequest,
} from './apply/index.ts';
export { applyJsonPatch, type JsonPatchOperation, MAX_JSON_PATCH_OPERATIONS } from './json-patch.ts';
export { applyMergePatch } from './merge-patch.ts';
export { applyStrategicPatch } from './strategic-patch.ts';
