export { CHECKOUT } from './checkout.ts';
export { EVENTUALLY_MS, type EventuallyOptions, eventually } from './eventually.ts';
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
export { requireSystem, type SystemNeed } from './require-system.ts';
