/** Where each kind that the cases use is served. */
import type { KubeObject } from '@skerry/api';
import type {
  ConfigMap,
  ControllerRevision,
  CronJob,
  Deployment,
  EndpointSlice,
  Endpoints,
  Event,
  Job,
  LimitRange,
  Namespace,
  Node,
  Pod,
  PodDisruptionBudget,
  ReplicaSet,
  ReplicationController,
  ResourceQuota,
  Secret,
  Service,
  ServiceAccount,
  StatefulSet,
} from '@skerry/api/types';

/** What objects of a kind look like; of those that are not named here it is not known. */
interface Shapes {
  ConfigMap: ConfigMap;
  ControllerRevision: ControllerRevision;
  CronJob: CronJob;
  Deployment: Deployment;
  Endpoints: Endpoints;
  EndpointSlice: EndpointSlice;
  Event: Event;
  Job: Job;
  LimitRange: LimitRange;
  Namespace: Namespace;
  Node: Node;
  Pod: Pod;
  PodDisruptionBudget: PodDisruptionBudget;
  ReplicaSet: ReplicaSet;
  ReplicationController: ReplicationController;
  ResourceQuota: ResourceQuota;
  Secret: Secret;
  Service: Service;
  ServiceAccount: ServiceAccount;
  StatefulSet: StatefulSet;
}

export type KindName = keyof typeof KINDS;
export type Shape<Name extends KindName> = Name extends keyof Shapes ? Shapes[Name] : KubeObject;

const ADMISSION = 'admissionregistration.k8s.io/v1';
const DRA = 'resource.k8s.io/v1';
const FLOW = 'flowcontrol.apiserver.k8s.io/v1';
const NETWORK = 'networking.k8s.io/v1';
const STORAGE = 'storage.k8s.io/v1';

export const KINDS = {
  CertificateSigningRequest: ofCluster('certificates.k8s.io/v1', 'certificatesigningrequests'),
  ConfigMap: namespaced('v1', 'configmaps'),
  ControllerRevision: namespaced('apps/v1', 'controllerrevisions'),
  CronJob: namespaced('batch/v1', 'cronjobs'),
  CSIDriver: ofCluster(STORAGE, 'csidrivers'),
  CSINode: ofCluster(STORAGE, 'csinodes'),
  CSIStorageCapacity: namespaced(STORAGE, 'csistoragecapacities'),
  CustomResourceDefinition: ofCluster('apiextensions.k8s.io/v1', 'customresourcedefinitions'),
  Deployment: namespaced('apps/v1', 'deployments'),
  DeviceClass: ofCluster(DRA, 'deviceclasses'),
  Endpoints: namespaced('v1', 'endpoints'),
  EndpointSlice: namespaced('discovery.k8s.io/v1', 'endpointslices'),
  Event: namespaced('v1', 'events'),
  FlowSchema: ofCluster(FLOW, 'flowschemas'),
  Ingress: namespaced(NETWORK, 'ingresses'),
  IngressClass: ofCluster(NETWORK, 'ingressclasses'),
  IPAddress: ofCluster(NETWORK, 'ipaddresses'),
  Job: namespaced('batch/v1', 'jobs'),
  Lease: namespaced('coordination.k8s.io/v1', 'leases'),
  LimitRange: namespaced('v1', 'limitranges'),
  MutatingAdmissionPolicy: ofCluster(ADMISSION, 'mutatingadmissionpolicies'),
  MutatingAdmissionPolicyBinding: ofCluster(ADMISSION, 'mutatingadmissionpolicybindings'),
  Namespace: ofCluster('v1', 'namespaces'),
  Node: ofCluster('v1', 'nodes'),
  PersistentVolume: ofCluster('v1', 'persistentvolumes'),
  PersistentVolumeClaim: namespaced('v1', 'persistentvolumeclaims'),
  Pod: namespaced('v1', 'pods'),
  PodDisruptionBudget: namespaced('policy/v1', 'poddisruptionbudgets'),
  PodTemplate: namespaced('v1', 'podtemplates'),
  PriorityLevelConfiguration: ofCluster(FLOW, 'prioritylevelconfigurations'),
  ReplicaSet: namespaced('apps/v1', 'replicasets'),
  ReplicationController: namespaced('v1', 'replicationcontrollers'),
  ResourceClaim: namespaced(DRA, 'resourceclaims'),
  ResourceClaimTemplate: namespaced(DRA, 'resourceclaimtemplates'),
  ResourceQuota: namespaced('v1', 'resourcequotas'),
  ResourceSlice: ofCluster(DRA, 'resourceslices'),
  RuntimeClass: ofCluster('node.k8s.io/v1', 'runtimeclasses'),
  Secret: namespaced('v1', 'secrets'),
  Service: namespaced('v1', 'services'),
  ServiceAccount: namespaced('v1', 'serviceaccounts'),
  ServiceCIDR: ofCluster(NETWORK, 'servicecidrs'),
  StatefulSet: namespaced('apps/v1', 'statefulsets'),
  StorageClass: ofCluster(STORAGE, 'storageclasses'),
  ValidatingAdmissionPolicy: ofCluster(ADMISSION, 'validatingadmissionpolicies'),
  ValidatingAdmissionPolicyBinding: ofCluster(ADMISSION, 'validatingadmissionpolicybindings'),
  VolumeAttachment: ofCluster(STORAGE, 'volumeattachments'),
  VolumeAttributesClass: ofCluster(STORAGE, 'volumeattributesclasses'),
} as const;

interface Served {
  readonly apiVersion: string;
  readonly resource: string;
  readonly isNamespaced: boolean;
}

function namespaced(apiVersion: string, resource: string): Served {
  return { apiVersion, resource, isNamespaced: true };
}

function ofCluster(apiVersion: string, resource: string): Served {
  return { apiVersion, resource, isNamespaced: false };
}
