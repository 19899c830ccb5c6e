export type { NodeImages } from './contract.ts';
export { placeOf, type RegistryAccess } from './door.ts';
export { type LazyRegistry, lazyRegistry } from './lazy.ts';
export { type Backend, listenRegistry } from './listener.ts';
export { createNodeImages, type NamedImage } from './node-images.ts';
export { ownBackend } from './own.ts';
export type { Registry } from './registry.ts';
export { upstreamBackend } from './upstream.ts';
