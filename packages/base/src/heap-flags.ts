/**
 * Node's options for the agent and its supervisor, which idle most of the time: a young generation of 1 MB instead of 16 keeps
 * garbage from filling memory that then stays resident (10 MB with 20 pods) and costs no measurable speed. `bin/skerry` has it too.
 */
export const EDGE_HEAP_FLAGS: readonly string[] = ['--max-semi-space-size=1'];
