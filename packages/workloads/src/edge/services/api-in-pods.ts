/** The API as programs in pods know it anywhere: Service `kubernetes`, whose address the cloud does not let anybody else have. */
import { CLUSTER_DOMAIN } from './names.ts';

/** Where Service `kubernetes` leads; on this node to the node's own API. */
export const API_IN_PODS = { host: '10.96.0.1', port: 443 } as const;

/** What a certificate of the node's API must be good for, so that it is believed in a pod. */
export const API_NAMES_IN_PODS: readonly string[] = [
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  `kubernetes.default.svc.${CLUSTER_DOMAIN}`,
  API_IN_PODS.host,
];
