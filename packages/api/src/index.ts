export type {
  Attributes,
  AuditEvent,
  AuditLog,
  Authentication,
  Authenticator,
  Authorizer,
  Credentials,
  Decision,
  Sealer,
  UserInfo,
} from './access.ts';
export {
  formatApiVersion,
  formatGroupResource,
  type GroupVersion,
  type Gvk,
  type Gvr,
  parseApiVersion,
  type Ref,
  resourcePath,
} from './names.ts';
export type {
  KubeList,
  KubeObject,
  ManagedFieldsEntry,
  ObjectMeta,
  OwnerReference,
  WatchEvent,
  WatchEventType,
} from './object.ts';
export type { PrinterColumn, Relation, ResourceRow, Verb } from './resource.ts';
export type { FieldError, ListType, PatchStrategy, Schema, SchemaType } from './schema.ts';
export {
  isStatus,
  type Status,
  type StatusCause,
  type StatusDetails,
  StatusError,
  type StatusReason,
} from './status.ts';
