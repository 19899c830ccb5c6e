/** Names that wait for their feature or their case. Whoever brings it takes the line away and adds the case to a file beside. */
import { type Missing, missing } from '../requirement.ts';

export const MISSING: readonly Missing[] = [
  missing('[sig-node] RuntimeClass should reject a Pod requesting a deleted RuntimeClass [NodeConformance]', 'a case'),
  missing(
    '[sig-node] RuntimeClass should reject a Pod requesting a non-existent RuntimeClass [NodeConformance]',
    'a case',
  ),
  missing('[sig-storage] PersistentVolumes CSI Conformance should apply changes to a pv/pvc status', 'a case'),
  missing(
    '[sig-storage] PersistentVolumes CSI Conformance should run through the lifecycle of a PV and a PVC',
    'a case',
  ),
];

export const MISSING_WITH_NODES: readonly Missing[] = [
  missing('[sig-apps] CronJob should not schedule jobs when suspended [Slow]', 'a case'),
  missing('[sig-apps] CronJob should not schedule new jobs when ForbidConcurrent [Slow]', 'a case'),
  missing('[sig-apps] Deployment Deployment should have a working scale subresource', 'a case'),
  missing('[sig-apps] Deployment RecreateDeployment should delete old pods and create new ones', 'a case'),
  missing('[sig-apps] Deployment RollingUpdateDeployment should delete old pods and create new ones', 'a case'),
  missing('[sig-apps] Deployment deployment should delete old replica sets', 'a case'),
  missing('[sig-apps] Deployment deployment should support rollover', 'a case'),
  missing('[sig-apps] Deployment should run the lifecycle of a Deployment', 'a case'),
  missing('[sig-apps] Deployment should validate Deployment Status endpoints', 'a case'),
  missing('[sig-apps] DisruptionController should block an eviction until the PDB is updated to allow it', 'a case'),
  missing('[sig-apps] DisruptionController should observe PodDisruptionBudget status updated', 'a case'),
  missing('[sig-apps] DisruptionController should update/patch PodDisruptionBudget status', 'a case'),
  missing(
    '[sig-apps] Job should create pods for an Indexed job with completion indexes and specified hostname',
    'a case',
  ),
  missing('[sig-apps] Job should manage the lifecycle of a job', 'a case'),
  missing(
    '[sig-apps] Job should run a job to completion when tasks sometimes fail and are locally restarted',
    'a case',
  ),
  missing('[sig-apps] Job with successPolicy should succeeded when all indexes succeeded', 'a case'),
  missing('[sig-apps] ReplicaSet Replace and Patch tests', 'a case'),
  missing('[sig-apps] ReplicaSet Replicaset should have a working scale subresource', 'a case'),
  missing('[sig-apps] ReplicaSet should adopt matching pods on creation and release no longer matching pods', 'a case'),
  missing('[sig-apps] ReplicaSet should list and delete a collection of ReplicaSets', 'a case'),
  missing('[sig-apps] ReplicaSet should validate Replicaset Status endpoints', 'a case'),
  missing('[sig-apps] ReplicationController should adopt matching pods on creation', 'a case'),
  missing('[sig-apps] ReplicationController should get and update a ReplicationController scale', 'a case'),
  missing('[sig-apps] ReplicationController should release no longer matching pods', 'a case'),
  missing('[sig-apps] ReplicationController should test the lifecycle of a ReplicationController', 'a case'),
  missing(
    '[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should have a working scale subresource',
    'a case',
  ),
  missing(
    '[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should list, patch and delete a collection of StatefulSets',
    'a case',
  ),
  missing(
    '[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should perform canary updates and phased rolling updates of template modifications',
    'a case',
  ),
  missing(
    '[sig-apps] StatefulSet Basic StatefulSet functionality [StatefulSetBasic] should validate Statefulset Status endpoints',
    'a case',
  ),
  missing('[sig-architecture] Conformance Tests should have at least two untainted nodes', 'a case'),
  missing(
    '[sig-cli] Kubectl client Kubectl describe should check if kubectl describe prints relevant information for rc and pods',
    'a case',
  ),
  missing('[sig-cli] Kubectl client Kubectl label should update the label on a resource', 'a case'),
  missing('[sig-cli] Kubectl client Kubectl patch should add annotations for pods in rc', 'a case'),
  missing("[sig-cli] Kubectl client Kubectl replace should update a single-container pod's image", 'a case'),
  missing('[sig-cli] Kubectl client Kubectl run pod should create a pod from an image when restart is Never', 'a case'),
  missing(
    '[sig-network] EndpointSlice should create Endpoints and EndpointSlices for Pods matching a Service',
    'a case',
  ),
  missing('[sig-network] EndpointsController should create Endpoints for Pods matching a Service', 'a case'),
  missing(
    '[sig-node] Pods Extended (pod generation) Pod Generation custom-set generation on new pods and graceful delete',
    'a case',
  ),
  missing('[sig-node] Pods should be submitted and removed [NodeConformance]', 'a case'),
  missing('[sig-node] Pods should be updated [NodeConformance]', 'a case'),
  missing('[sig-node] Pods should get a host IP [NodeConformance]', 'a case'),
  missing('[sig-node] Pods should patch a pod status', 'a case'),
  missing('[sig-node] Pods should run through the lifecycle of Pods and PodStatus', 'a case'),
  missing(
    '[sig-node] RuntimeClass should schedule a Pod requesting a RuntimeClass and initialize its Overhead [NodeConformance]',
    'a case',
  ),
  missing(
    '[sig-node] RuntimeClass should schedule a Pod requesting a RuntimeClass without PodOverhead [NodeConformance]',
    'a case',
  ),
];
