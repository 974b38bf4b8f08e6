/**
 * How a migration went, beside plain pre-copy: each kind has a rule for pages (docs/qemu.md), and is told by
 * an event, a command or an order of things in the recording. Names are those of qapi/migration.json where
 * it has one.
 */

/** Kinds, and the words for them in a sentence. */
export const MIGRATION_KINDS = {
  postcopy: "post-copy",
  "postcopy-preempt": "postcopy-preempt",
  multifd: "multifd",
  "mapped-ram": "mapped-ram",
  file: "into a file",
  xbzrle: "xbzrle",
  "auto-converge": "auto-converge",
  "dirty-limit": "dirty-limit",
  "dirty-ring": "dirty ring",
  restarted: "started again after one that was given up",
  "guest-stopped": "of a stopped guest",
  "cpr-reboot": "cpr-reboot",
  "cpr-transfer": "cpr-transfer",
  "cpr-exec": "cpr-exec",
  "background-snapshot": "background snapshot",
  "hotplugged-memory": "memory plugged while the guest ran",
  "hotplugged-device": "a device plugged while the guest ran",
  colo: "COLO",
} as const;

export type MigrationKindName = keyof typeof MIGRATION_KINDS;

export interface MigrationKind {
  kind: MigrationKindName;
  /** When it was told first; null: beside the recording, or by what is not one event. */
  ns: string | null;
  /** Event or command that tells it. */
  told: string;
}
