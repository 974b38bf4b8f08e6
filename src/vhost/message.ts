/**
 * The messages of the vhost-user protocol that say what ioctls say to drivers/vhost: numbers and names
 * of VhostUserRequest, docs/interop/vhost-user.rst of QEMU.
 */

/** Classes of user-space back ends that a recording can be of; the first one where nothing tells. */
export const VHOST_USER_DRIVERS: readonly string[] = [
  "vhost-user",
  "vhost-user-scsi",
  "vhost-user-blk",
  "vhost-user-net",
  "vhost-user-fs",
];

const NAMES: Record<number, string> = {
  1: "GET_FEATURES",
  2: "SET_FEATURES",
  3: "SET_OWNER",
  4: "RESET_OWNER",
  5: "SET_MEM_TABLE",
  6: "SET_LOG_BASE",
  7: "SET_LOG_FD",
  8: "SET_VRING_NUM",
  9: "SET_VRING_ADDR",
  10: "SET_VRING_BASE",
  11: "GET_VRING_BASE",
  12: "SET_VRING_KICK",
  13: "SET_VRING_CALL",
  14: "SET_VRING_ERR",
  15: "GET_PROTOCOL_FEATURES",
  16: "SET_PROTOCOL_FEATURES",
  17: "GET_QUEUE_NUM",
  18: "SET_VRING_ENABLE",
};

/** The name of a request without VHOST_USER_; null for one that the replay has no use for. */
export function messageName(request: number): string | null {
  return NAMES[request] ?? null;
}

/** VHOST_USER_F_PROTOCOL_FEATURES: of the protocol, not of the device. */
export const PROTOCOL_FEATURES = 1n << 30n;
/** VIRTIO_F_RING_PACKED. */
export const RING_PACKED = 1n << 34n;

/** The driver of a back end behind a virtio device of QEMU, by its name: hw/virtio/virtio.c virtio_id_to_name(). */
export function backEndDriver(name: string): string {
  const own = `vhost-user-${deviceClass(name)}`;
  return VHOST_USER_DRIVERS.includes(own) ? own : "vhost-user";
}

/** `virtio-blk`, `vhost-user-blk`: blk. */
export const deviceClass = (name: string): string =>
  name.replace(/^(?:virtio|vhost|vhost-user)[-_](?:user[-_])?/, "").replace(/-device$/, "");
