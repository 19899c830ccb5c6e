export { type AuditLogOptions, type FileAuditLog, openAuditLog } from './audit-log.ts';
export type { HeadSigner } from './chain.ts';
export { keySigner, keyVerifier } from './head-signer.ts';
export { isAudited } from './selection.ts';
export { type AlteredLog, type AuditProblem, type AuditVerdict, verifyAuditLog, type WholeLog } from './verify.ts';
