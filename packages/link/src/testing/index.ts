export { type EdgeFolder, type EdgeOptions, echo, Loopback, type LoopbackEdge, newFolder } from './loopback.ts';
export { MemoryFeed, MemoryOutbox, MemoryReplica } from './memory.ts';
export { frameHeader, openRaw, type RawClient, smallFrame } from './raw-client.ts';
