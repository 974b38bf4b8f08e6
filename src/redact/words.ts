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

/** Texts of one recording after the redaction. */
export interface Words {
  ramBlock(name: string): string;
  state(name: string): string;
  device(name: string): string;
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
    device: (name) => (name === "" || DEVICES.has(name) ? name : `device-${keyed(name)}`),
    syncName: (name) =>
      name.split(/[-_ ]/).every((word) => word === "" || SYNC_WORDS.has(word))
        ? name
        : `name-${keyed(name)}`,
    listener: (name) => (name.startsWith("vhost") ? "vhost" : "other"),
  };
}
