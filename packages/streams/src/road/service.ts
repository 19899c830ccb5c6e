/** The road's stream by name, for those between its two ends. Nothing heavy is behind this door. */

/** What the data worker asks the agent for. */
export const ROAD_SERVICE = 'road';

/** What the agent opens the stream to the cloud with. */
export function roadHeader(): Uint8Array {
  return Buffer.from(JSON.stringify({ kind: ROAD_SERVICE }));
}

/** Whether a node's stream is the road's. */
export function isRoadHeader(header: Uint8Array): boolean {
  return Buffer.from(header).equals(roadHeader());
}
