/** What the agent must know to run the data worker; nothing heavy is behind this door. */
export { DEVICES_GROUP, OPCUA_SERVERS } from '../resources/group.ts';
export { HISTORY_PATH } from '../telemetry/history-request.ts';
export type {
  CertificateAnswer,
  CertificateQuestion,
  GatewayStart,
  SiteCertificate,
  WorkerStart,
} from './worker-start.ts';
