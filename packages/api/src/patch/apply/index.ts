export { type ApplyRequest, type ApplyResult, apply, trackUpdate, type UpdateRequest } from './apply.ts';
export { conflictError, type FieldConflict } from './conflicts.ts';
