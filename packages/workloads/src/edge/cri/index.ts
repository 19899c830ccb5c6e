/** Runtime `containerd`, behind a door of its own: an agent without a container runtime never loads it. */

export { type CriClient, createCriClient } from './client.ts';
export { type CriRuntime, type CriRuntimeOptions, createCriRuntime } from './runtime.ts';
