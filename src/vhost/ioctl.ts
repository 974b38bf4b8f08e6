/**
 * The ioctls of /dev/vhost-*: which they are, and what their argument's first words say.
 * include/uapi/linux/vhost.h. A command is told by its type (0xaf) and number: the size in it
 * differs between architectures.
 */

/** What `cmd` asks for, in the words of vhost.h without VHOST_; null for another type or number. */
export function ioctlName(cmd: number): string | null {
  if (((cmd >>> 8) & 0xff) !== 0xaf) return null;
  const nr = cmd & 0xff;
  // _IOR and _IOW share number 0: GET_FEATURES reads, SET_FEATURES writes. So do _IOW and _IOWR 18.
  if (nr === 0) return cmd >>> 30 === 1 ? "SET_FEATURES" : "GET_FEATURES";
  if (nr === 18) return cmd >>> 30 === 1 ? "SET_VRING_BASE" : "GET_VRING_BASE";
  return NAMES[nr] ?? null;
}

const NAMES: Record<number, string> = {
  1: "SET_OWNER",
  2: "RESET_OWNER",
  3: "SET_MEM_TABLE",
  4: "SET_LOG_BASE",
  7: "SET_LOG_FD",
  16: "SET_VRING_NUM",
  17: "SET_VRING_ADDR",
  32: "SET_VRING_KICK",
  33: "SET_VRING_CALL",
  34: "SET_VRING_ERR",
  48: "NET_SET_BACKEND",
  64: "SCSI_SET_ENDPOINT",
  65: "SCSI_CLEAR_ENDPOINT",
  67: "SCSI_SET_EVENTS_MISSED",
  68: "SCSI_GET_EVENTS_MISSED",
  96: "VSOCK_SET_GUEST_CID",
  97: "VSOCK_SET_RUNNING",
};

/** VHOST_F_LOG_ALL. */
export const LOG_ALL = 1n << 26n;
/** VHOST_VRING_F_LOG, bit 0 of the flags of SET_VRING_ADDR. */
export const VRING_F_LOG = 1n;

/** Which driver a command or a probed function belongs to; null when it fits all of them. */
export function driverOf(name: string | null, functionName: string | null): string | null {
  const user = /^vhost_user(_\w+)?$/.exec(functionName ?? "");
  if (user) return user[0].replaceAll("_", "-");
  const text = `${functionName ?? ""} ${name ?? ""}`;
  if (/vhost_scsi|\bSCSI_/.test(text)) return "vhost-scsi";
  if (/vhost_net|\bNET_/.test(text)) return "vhost-net";
  if (/vhost_vsock|\bVSOCK_/.test(text)) return "vhost-vsock";
  return null;
}
