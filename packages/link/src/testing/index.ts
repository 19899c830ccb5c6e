export { type EdgeFolder, type EdgeOptions, echo, Loopback, type LoopbackEdge, newFolder } from './loopback.ts';
export { MemoryFeed, MemoryOutbox, MemoryReplica } from './memory.ts';
