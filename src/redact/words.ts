/**
 * Words that may stay: those of QEMU's and of this project's vocabulary. Every other text is
 * replaced by a keyed one.
 */
import { type Prf, remembering } from "./prf.ts";

/** RAM blocks that machines of QEMU make by themselves; a user's own memory backend has any name. */
const RAM_BLOCKS: ReadonlySet<string> = new Set(["pc.ram", "pc.bios", "pc.rom", "mach-virt.ram"]);

/** MigrationStatus of qapi/migration.json, RunState of qapi/run-state.json. */
const STATES: ReadonlySet<string> = new Set(
  (
    "none setup cancelling cancelled active postcopy-device postcopy-active postcopy-paused " +
    "postcopy-recover postcopy-recover-setup completed failed failing colo pre-switchover device " +
    "wait-unplug debug finish-migrate inmigrate internal-error io-error paused postmigrate " +
    "prelaunch restore-vm running save-vm shutdown suspended watchdog guest-panicked"
  ).split(" "),
);

/** VirtIODevice.name of devices that a vhost may serve: hw/virtio/virtio.c virtio_device_names, vhost-scsi.c. */
const DEVICES: ReadonlySet<string> = new Set(
  (
    "virtio-net virtio-blk virtio-scsi virtio-vsock virtio-user-fs virtio-fs virtio-crypto virtio-gpu " +
    "virtio-input virtio-sound virtio-i2c virtio-gpio virtio-rng vhost-scsi vhost-user-scsi vhost-vsock " +
    "vhost-user-blk vhost-user-fs vhost-vdpa"
  ).split(" "),
);

/** Words of the names of syncs in scripts that are published with this project. */
const SYNC_WORDS: ReadonlySet<string> = new Set(
  (
    "after before at during first last final start end begin boot done stop stopped off on idle " +
    "sync bitmap pass round log logging all read reads write writes direct indirect mixed control " +
    "event events error errors toggle migration precopy postcopy switchover reset clear set"
  ).split(" "),
);

/** Types of channels, io/channel-*.c; MigMode and MigrationCapability of qapi/migration.json. */
const CHANNELS: ReadonlySet<string> = new Set(
  "qio-channel-file qio-channel-socket qio-channel-tls qio-channel-command".split(" "),
);
const MODES: ReadonlySet<string> = new Set("normal cpr-reboot cpr-transfer cpr-exec".split(" "));
const CAPABILITIES: ReadonlySet<string> = new Set(
  (
    "xbzrle rdma-pin-all auto-converge events postcopy-ram x-colo release-ram return-path " +
    "pause-before-switchover multifd dirty-bitmaps postcopy-blocktime late-block-activate " +
    "x-ignore-shared validate-uuid background-snapshot zero-copy-send postcopy-preempt " +
    "switchover-ack dirty-limit mapped-ram zero-blocks compress"
  ).split(" "),
);

function redactCommand(json: string): string {
  let given: { capabilities?: unknown; mode?: unknown };
  try {
    given = JSON.parse(json) as typeof given;
  } catch (error) {
    if (error instanceof SyntaxError) return "{}";
    throw error;
  }
  const list = Array.isArray(given?.capabilities) ? (given.capabilities as unknown[]) : [];
  const capabilities = list.flatMap((one) => {
    const { capability, state } = (one ?? {}) as { capability?: unknown; state?: unknown };
    const known = typeof capability === "string" && CAPABILITIES.has(capability);
    return known && typeof state === "boolean" ? [{ capability, state }] : [];
  });
  const mode = typeof given?.mode === "string" && MODES.has(given.mode) ? { mode: given.mode } : {};
  return JSON.stringify({ ...(capabilities.length > 0 ? { capabilities } : {}), ...mode });
}

/** Texts of one recording after the redaction. */
export interface Words {
  ramBlock(name: string): string;
  state(name: string): string;
  device(name: string): string;
  /** Type of a channel, mode of a migration; other words become none. */
  channel(name: string): string;
  mode(name: string): string;
  /** Arguments of a command of QMP: its capabilities and its mode, and nothing else. */
  command(json: string): string;
  syncName(name: string): string;
  /** Of a migration listener: only whether it is vhost's matters. */
  listener(name: string): string;
}

/** Words made with this key. */
export function wordsOf(prf: Prf): Words {
  const keyed = remembering((text) =>
    prf("word", text).toString(16).padStart(16, "0").slice(0, 10),
  );
  return {
    ramBlock: (name) => (name === "" || RAM_BLOCKS.has(name) ? name : `ram-${keyed(name)}`),
    state: (name) => (name === "" || STATES.has(name) ? name : `state-${keyed(name)}`),
    channel: (name) => (CHANNELS.has(name) ? name : ""),
    mode: (name) => (MODES.has(name) ? name : ""),
    command: redactCommand,
    device: (name) => (name === "" || DEVICES.has(name) ? name : `device-${keyed(name)}`),
    syncName: (name) =>
      name.split(/[-_ ]/).every((word) => word === "" || SYNC_WORDS.has(word))
        ? name
        : `name-${keyed(name)}`,
    listener: (name) => (name.startsWith("vhost") ? "vhost" : "other"),
  };
}
