export { CHECKOUT } from './checkout.ts';
export { EVENTUALLY_MS, type EventuallyOptions, eventually } from './eventually.ts';
export { edgeOf, GROUNDS, type Ground, type GroundKind, openGround, openGrounds } from './grounds.ts';
export {
  type CommandResult,
  fetchAllKubectls,
  KUBECTL_TIMEOUT_MS,
  type KubectlOptions,
  type KubectlVersion,
  kubectl,
  kubectlPath,
  runToEnd,
  tryKubectl,
} from './kubectl.ts';
export {
  CONTAINERD,
  COUNTING,
  deployment,
  imageOn,
  PROCESS,
  pod,
  type Runtime,
  type Workload,
  withHostPrograms,
} from './manifests.ts';
export { emulated, nodeBinary, npmPackage } from './node-binary.ts';
export { ownBootId, powerOffPods } from './power-off.ts';
export { requireSystem, type SystemNeed, skipWithout } from './require-system.ts';
export { type SerialCable, serialCable } from './serial-cable.ts';
export { freePort, LIB, type ProcessSpec, SkerryProcess } from './skerry-process.ts';
export { TcpProxy } from './tcp-proxy.ts';
export { TestCloud, type TestCloudOptions } from './test-cloud.ts';
export { TestContainerd } from './test-containerd.ts';
export { TestEdge, type TestEdgeOptions } from './test-edge.ts';
export { BUSYBOX_IMAGE, PAUSE_IMAGE, writeImageLayout } from './test-images.ts';
export { TestRegistry } from './test-registry.ts';
