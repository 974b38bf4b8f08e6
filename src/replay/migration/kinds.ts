/**
 * How the migrations of a machine go, beside plain pre-copy: from QEMU's events and commands. What is told
 * before one begins belongs to the next. Rules for pages of each kind: docs/qemu.md.
 */
import { EventKind } from "../../../assembly/event-abi.ts";
import type { EventArguments } from "../../core/qemu-record.ts";
import {
  MIGRATION_KINDS,
  type MigrationKind,
  type MigrationKindName,
} from "../../model/migration-kind.ts";
import { qemuEventOfKind } from "../../qemu/events.ts";
import { MigrationSettings } from "../../qemu/migration-settings.ts";

/** The capability's kind is in force only once the migration is in post-copy. */
const PREEMPT = "postcopy-preempt";

/** The kinds of one migration; each is told once. */
export class Kinds {
  readonly #found = new Map<MigrationKindName, MigrationKind>();

  add(kind: MigrationKindName, ns: string | null, told: string): void {
    if (!this.#found.has(kind)) this.#found.set(kind, { kind, ns, told });
  }

  has(kind: MigrationKindName): boolean {
    return this.#found.has(kind);
  }

  /** In the order of MIGRATION_KINDS. */
  get all(): MigrationKind[] {
    const order = Object.keys(MIGRATION_KINDS);
    return [...this.#found.values()].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  }
}

/** Follows what is told of kinds, for the migration that goes on or the next one. */
export class KindFollower {
  readonly settings: MigrationSettings;
  #next = new Kinds();
  /** One was given up: the next one sends all pages anew. */
  #gaveUp = false;

  /** `settings`: as a transcript beside the recording tells them. */
  constructor(settings: MigrationSettings = new MigrationSettings()) {
    this.settings = settings;
  }

  /** An event of QEMU; `current`: of the migration that goes on. */
  event(kind: EventKind, args: EventArguments, ns: string, current: Kinds | null): void {
    const told = qemuEventOfKind(kind)!.name;
    const note = (name: MigrationKindName, event = told): void =>
      (current ?? this.#next).add(name, ns, event);
    switch (kind) {
      case EventKind.QThrottle:
        note("auto-converge");
        break;
      case EventKind.QDirtyLimit:
        note("dirty-limit");
        break;
      case EventKind.QXbzrle:
        note("xbzrle");
        break;
      case EventKind.QPreempt:
        if (args.number("value") === 1) note(PREEMPT);
        break;
      case EventKind.QChannel:
        if (args.text("ioctype") === "qio-channel-file") note("file");
        break;
      case EventKind.QFile:
        note("file");
        break;
      case EventKind.QCpr: {
        const mode = args.text("mode");
        if (mode === "cpr-transfer" || mode === "cpr-exec" || mode === "cpr-reboot") note(mode);
        break;
      }
      case EventKind.QTracking:
        note("background-snapshot");
        break;
      case EventKind.QCommand: {
        const json = args.text("json");
        const capabilities = json.includes('"capabilities"');
        const name = capabilities ? "migrate-set-capabilities" : "migrate-set-parameters";
        this.settings.commandText(name, json);
        break;
      }
      default:
    }
  }

  /** Told by something else than an event of its own, for the migration that goes on or the next one. */
  note(kind: MigrationKindName, ns: string | null, told: string, current: Kinds | null): void {
    (current ?? this.#next).add(kind, ns, told);
  }

  /** A migration begins. */
  begin(): Kinds {
    const kinds = this.#next;
    this.#next = new Kinds();
    for (const { kind, told } of this.settings.kinds()) kinds.add(kind, null, told);
    if (this.#gaveUp) kinds.add("restarted", null, "migrate_set_state");
    this.#gaveUp = false;
    return kinds;
  }

  /** It was cancelled, or failed. */
  gaveUp(): void {
    this.#gaveUp = true;
  }

  /** Post-copy began. */
  postcopy(ns: string, kinds: Kinds): void {
    kinds.add("postcopy", ns, "postcopy_start");
    if (this.settings.has(PREEMPT)) kinds.add(PREEMPT, null, "migrate-set-capabilities");
  }
}
