export { JOIN_TOKEN_KIND, NODE_IDENTITY_KIND, SECURITY_API_VERSION, SECURITY_GROUP, securityCrds } from './crds.ts';
export { type CloudDoor, type DoorReply, type DoorRequest, linkTlsOptions, nodeDoor, splitAddress } from './door.ts';
export { createEnrolment, DEFAULT_REJOIN_WINDOW_MS, type Enrolment, type EnrolmentOptions } from './enrolment.ts';
export { type EnrolRequest, MAX_ENROLMENT_BODY, type RenewRequest, ROUTE, renewalBytes } from './enrolment-messages.ts';
export type { EnrolmentReply } from './enrolment-replies.ts';
export { type JoinOptions, joinCloud, nextRenewal, type Renewal, type RenewOptions, renewIdentity } from './join.ts';
export {
  formatJoinToken,
  hashSecret,
  isPattern,
  type JoinToken,
  matchesNode,
  newTokenSecret,
  parseJoinToken,
} from './join-token.ts';
export {
  fromJoinTokenObject,
  type JoinTokenRecord,
  type JoinTokenStore,
  memoryJoinTokenStore,
  type StoredJoinToken,
  toJoinTokenObject,
} from './join-token-record.ts';
export {
  createLinkListener,
  ENROL_PROTOCOL,
  LISTENER_LIMITS,
  type LinkListener,
  type LinkListenerOptions,
  type ListenerLimits,
  type NodePeer,
} from './listener.ts';
export { checkIdentity, loadIdentity, type NodeIdentity, saveIdentity } from './node-identity.ts';
export { isNodeName, NODE_CERTIFICATE_LIFE_MS, nodeOfCertificate, nodeProfile, spiffeId } from './node-profile.ts';
export { createRateLimiter, type RateLimit, type RateLimiter } from './rate-limiter.ts';
export { createRevocations, type Revocations } from './revocations.ts';
export { readSignedTime, SIGNED_TIME_LIFE_MS, type SignedTime, signTime } from './signed-time.ts';
