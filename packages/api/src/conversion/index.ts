export type { Conversion } from './conversion.ts';
export { eventsV1 } from './event.ts';
export { autoscalerV1 } from './horizontal-pod-autoscaler.ts';
