/** Fields and flags of queues and requests that only the core reads; the others stand in queue-abi.ts. */

// Of a queue, behind QUEUE_MISFIT.
/** Packed ring: u64 GPA of the descriptor ring and of the device event area, ~0: not known. */
export const QUEUE_RING = 280;
export const QUEUE_EVENT = 288;
/** i32: slot of a packed ring that is used next, -1 when not known. */
export const QUEUE_SLOT = 296;
/** u32: page at which this queue's log ends, 0 when not known. */
export const QUEUE_LOG_END = 300;
/** u32: vhost-net: chains that are filled and not published yet (done_idx of net.c). */
export const QUEUE_UNPUBLISHED = 336;

// Bits of QUEUE_FLAGS, behind QUEUE_INDEX_KNOWN.
/** Whether the kernel or a user-space back end serves it was asked once. */
export const QUEUE_DECIDED = 32;
/** VHOST_VRING_F_LOG, from a SET_VRING_ADDR message. */
export const QUEUE_RING_LOG = 64;
/** The last chain of this receive queue was filled to its end: the packet may go on. */
export const QUEUE_PACKET_OPEN = 128;
/** Some used length was not 0: a 0 is a length as well. */
export const QUEUE_LENGTHS = 256;
/** A SET_LOG_BASE of its device was recorded. */
export const QUEUE_LOG_TOLD = 512;
/** A feature bit of its completions is offered by no driver of the kernel. */
export const QUEUE_USER_SPACE = 1024;

// Of a request, behind REQUEST_USED_IDX.
/** u32: how often the same head was offered again before it was returned (user-space back ends). */
export const REQUEST_AGAIN = 84;

// Bits of REQUEST_FLAGS, between REQUEST_HAS_CDB and REQUEST_LENGTH_UNKNOWN.
/** An indirect table stands behind another descriptor: SPDK refuses the chain. */
export const REQUEST_LATE_TABLE = 256;
/** The chain begins with an indirect table. */
export const REQUEST_INDIRECT = 512;

/** VIRTIO_F_RING_PACKED: no driver of drivers/vhost offers it. */
export const F_RING_PACKED: u64 = 1 << 34;
