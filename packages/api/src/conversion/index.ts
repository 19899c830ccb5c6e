export type { Conversion } from './conversion.ts';
export { autoscalerV1 } from './horizontal-pod-autoscaler.ts';
