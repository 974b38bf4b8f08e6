/** Events that tell how a migration goes: throttled, through a file, as what changed, to another QEMU. */
import { EventKind } from "../../../assembly/event-abi.ts";
import type { EventRow } from "../event-row.ts";

const XBZRLE = {
  kind: EventKind.QXbzrle,
  format: "",
  role: "source",
  recorded: true,
  redact: {},
} as const;

const COMMAND = {
  kind: EventKind.QCommand,
  format: "{json:s}",
  role: "source",
  recorded: true,
  redact: { json: "command" },
} as const;

export const KIND_EVENTS: readonly EventRow[] = [
  {
    name: "migration_throttle",
    kind: EventKind.QThrottle,
    format: "",
    role: "source",
    recorded: true,
    redact: {},
    tells: "auto-converge: vCPUs are slowed down",
    source: "migration/ram.c migration_trigger_throttle()",
  },
  {
    name: "migration_dirty_limit_guest",
    kind: EventKind.QDirtyLimit,
    format: "guest dirty page rate limit {dirtyrate:d} MB/s",
    versions: ["10.0", "11.1"],
    role: "source",
    recorded: true,
    redact: { dirtyrate: "none" },
    tells: "dirty-limit: vCPUs are slowed down by how much they write",
    source: "migration/ram.c migration_dirty_limit_guest()",
  },
  {
    name: "save_xbzrle_page_skipping",
    ...XBZRLE,
    tells: "xbzrle: a page is as it was sent, and does not go again",
    source: "migration/ram.c save_xbzrle_page()",
  },
  {
    name: "save_xbzrle_page_overflow",
    ...XBZRLE,
    tells: "xbzrle: a page goes as a whole",
    source: "migration/ram.c save_xbzrle_page()",
  },
  {
    name: "postcopy_preempt_enabled",
    kind: EventKind.QPreempt,
    format: "{value:d}",
    role: "source",
    recorded: true,
    redact: { value: "keep" },
    tells: "whether pages that are asked for have a channel of their own",
    source: "migration/migration.c migration_rate_set(), postcopy_start()",
  },
  {
    name: "migration_set_outgoing_channel",
    kind: EventKind.QChannel,
    format: [
      {
        versions: ["7.2", "10.0"],
        text: "ioc={ioc:p} ioctype={ioctype:s} hostname={hostname:s} err={err:p}",
      },
      // Behind the longer one, whose beginning it is.
      { versions: ["11.1"], text: "ioc={ioc:p} ioctype={ioctype:s}" },
    ],
    role: "source",
    recorded: true,
    redact: { ioc: "none", ioctype: "channel", hostname: "none", err: "none" },
    tells: "what it goes through: a file, a socket",
    source: "migration/channel.c migration_channel_connect()",
  },
  {
    name: "migration_file_outgoing",
    kind: EventKind.QFile,
    format: "filename={filename:s}",
    versions: ["10.0", "11.1"],
    role: "source",
    recorded: true,
    redact: { filename: "none" },
    tells: "it goes into a file",
    source: "migration/file.c file_start_outgoing_migration()",
  },
  {
    name: "cpr_state_save",
    kind: EventKind.QCpr,
    format: "{mode:s} mode",
    versions: ["10.0", "11.1"],
    role: "source",
    recorded: true,
    redact: { mode: "mode" },
    tells: "the guest goes on in another QEMU on the same host, its memory stays",
    source: "migration/cpr.c cpr_state_save()",
  },
  {
    name: "ram_write_tracking_ramblock_start",
    kind: EventKind.QTracking,
    format: "{block_id:s}: page_size: {page_size:u} addr: {addr:p} length: {length:u}",
    role: "source",
    recorded: true,
    redact: { block_id: "none", page_size: "keep", addr: "none", length: "none" },
    tells: "background snapshot: pages are protected until they are saved",
    source: "migration/ram.c ram_write_tracking_start()",
  },
  {
    name: "qmp_enter_migrate_set_capabilities",
    ...COMMAND,
    tells: "capabilities of the migration that begins next",
    source: "migration/options.c qmp_migrate_set_capabilities()",
  },
  {
    name: "qmp_enter_migrate_set_parameters",
    ...COMMAND,
    tells: "its mode",
    source: "migration/options.c qmp_migrate_set_parameters()",
  },
  {
    name: "ram_load_complete",
    kind: EventKind.QLoaded,
    format: "exit_code {ret:d} seq iteration {seq_iter:u}",
    role: "destination",
    recorded: true,
    redact: { ret: "keep", seq_iter: "keep" },
    tells: "RAM is loaded; where no page came in the stream, from a mapped-ram file",
    source: "migration/ram.c ram_load()",
  },
];
