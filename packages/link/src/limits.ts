/** Every bound of the link, by name. SPEC.md explains what each protects. Sizes in bytes, times in milliseconds. */

const KIB = 1024;
const MIB = 1024 * KIB;

/** The range of protocol versions this code speaks. */
export const PROTOCOL_VERSIONS = { lowest: 1, highest: 1 } as const;

/** The largest WebSocket message; a larger one, or the claim of one, closes the path with 1009. */
export const MAX_WIRE_MESSAGE_BYTES = 128 * KIB;
/** The largest body of one frame: one stream message with its identifier, or one piece of a batch. */
export const MAX_FRAME_BODY_BYTES = 33 * KIB;
/** A message is filled with frames up to here before it is written. */
export const TARGET_WIRE_MESSAGE_BYTES = 16 * KIB;
/** Bytes given to a path's socket and not yet taken by it; what waits longer can still be overtaken by a higher lane. */
export const PATH_BUFFER_BYTES = 256 * KIB;
/** A path whose unwritten bytes pass this (answers to pings of a peer that does not read) is closed. */
export const PATH_HARD_LIMIT_BYTES = 1 * MIB;

/** Sent and not yet acknowledged by the peer's session: what a failover replays. */
export const SESSION_WINDOW_BYTES = 2 * MIB;
export const SESSION_WINDOW_FRAMES = 16_384;
/** An acknowledgement is sent at the latest after so many bytes, frames or milliseconds. */
export const ACK_EVERY_BYTES = 256 * KIB;
export const ACK_EVERY_FRAMES = 1024;
export const ACK_DELAY_MS = 50;
/** Control frames waiting to be sent; a peer that makes us owe it more is closed. */
export const CONTROL_LANE_BYTES = 1 * MIB;

/** State that the hub has taken from the feed and the edge has not applied. */
export const STATE_WINDOW_BYTES = 1 * MIB;
/** Changes are cut into batches of about this size; one larger change is a batch of its own. */
export const STATE_BATCH_BYTES = 128 * KIB;
export const MAX_CHANGE_BYTES = 4 * MIB;
export const MAX_KEY_BYTES = 4 * KIB;
export const MAX_POSITION_BYTES = 1 * KIB;
/** All keys and versions that a hub takes from one edge, and how many the edge reads at a time. */
export const MAX_HELD_VERSIONS_BYTES = 16 * MIB;
export const VERSIONS_CHUNK = 256;

/** Outbox entries on their way and not yet durable in the cloud. */
export const OUTBOX_WINDOW_BYTES = 1 * MIB;
export const OUTBOX_WINDOW_ENTRIES = 4096;
export const OUTBOX_READ_LIMIT = 256;
export const MAX_OUTBOX_ENTRY_BYTES = 4 * MIB;

/** Streams one side may have opened and not closed in a session. */
export const MAX_STREAMS = 128;
export const MAX_STREAM_MESSAGE_BYTES = 32 * KIB;
export const MAX_STREAM_HEADER_BYTES = 16 * KIB;
export const MAX_ABORT_TEXT_BYTES = 8 * KIB;
/** Credit each stream has, how far it may grow while its reader keeps up, and how much all of a session may grow together. */
export const STREAM_INITIAL_CREDIT = 64 * KIB;
export const STREAM_MAX_CREDIT = 1 * MIB;
export const STREAMS_GROWN_CREDIT = 8 * MIB;
/** What a message costs beyond its bytes, so that empty ones are not free. */
export const STREAM_MESSAGE_COST = 16;
/** A reader that empties half its credit within this time gets more. */
export const STREAM_GROW_WITHIN_MS = 200;
/** Messages of one stream that wait for credit or room; a sender that does not await `send` is stopped here. */
export const STREAM_PENDING_BYTES = 256 * KIB;
/** What the answerer of a stream on the bulk lane has for credit, from its start to its end, and how many each side may have open. */
export const BULK_CREDIT = 1 * MIB;
export const MAX_BULK_STREAMS = 16;
/** What all of them may have on its way: at least two of the smallest pieces, at most what keeps a fast and long path busy. */
export const BULK_MIN_PIECE_BYTES = 2 * KIB;
export const BULK_MIN_WINDOW_BYTES = 2 * BULK_MIN_PIECE_BYTES;
export const BULK_MAX_WINDOW_BYTES = 1 * MIB;
/** How long bulk may wait before the narrowest place of a path: this, or a quarter of the time there and back when that is more. */
export const BULK_QUEUE_MS = 20;
/** The shortest time there and back is measured anew after this, since a path may have become another: over so many bytes. */
export const BULK_MEASURE_EVERY_MS = 60_000;
export const BULK_MEASURE_BYTES = 8 * BULK_MIN_PIECE_BYTES;
/** Blobs: the request and what is said about the blob; the rates of each node and of all. */
export const MAX_BLOB_REQUEST_BYTES = 15 * KIB;
export const MAX_BLOB_INFO_BYTES = 16 * KIB;
export const BLOB_NODE_BYTES_PER_SECOND = 64 * MIB;
export const BLOB_HUB_BYTES_PER_SECOND = 256 * MIB;
/** A blob that stands still is broken off after once to twice this time: nobody holds a source for ever. */
export const BLOB_STALL_MS = 150_000;
/** A rate is kept over this time: so much may go at once. */
export const BLOB_RATE_WINDOW_MS = 100;
/** Stream and outbox frames wait in their lane up to here; more stay with their source, which takes turns. */
export const LANE_BYTES = 256 * KIB;
export const STREAM_OPEN_TIMEOUT_MS = 30_000;

export const MAX_PATHS = 8;
export const DEFAULT_HEARTBEAT_MS = 5_000;
export const MIN_HEARTBEAT_MS = 20;
export const MAX_HEARTBEAT_MS = 60_000;
/** A path that was silent for so many heartbeats is half-open. */
export const SILENT_HEARTBEATS = 3;
/** From the first byte of a dial to the hub's welcome. */
export const HELLO_TIMEOUT_MS = 10_000;
/** Connections of one node that have not greeted yet. */
export const MAX_VISITORS_PER_NODE = 8;
/** How long an old session has to answer before a comer replaces it. */
export const CHALLENGE_MS = 1_000;
/** How long a session without a path is kept, so that its streams survive a short break. */
export const LINGER_MS = 10_000;
/** A path that lived shorter than this counts as a failed attempt. */
export const STABLE_MS = 2_000;
export const RECONNECT_BACKOFF = { baseMs: 500, capMs: 10_000 } as const;
/** After a refusal that a retry will hardly change: a copy, a revoked node, no common version. */
export const REFUSED_BACKOFF = { baseMs: 15_000, capMs: 300_000 } as const;

/** Sessions the hub admits a second, at once, and waiting. */
export const ADMISSION_PER_SECOND = 1_000;
export const ADMISSION_BURST = 200;
export const ADMISSION_QUEUE = 4_096;
/** What a comer is told to wait at least when the queue is full. */
export const BUSY_RETRY_MS = 2_000;
