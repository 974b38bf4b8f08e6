/**
 * What QEMU was told about a migration: commands of QMP, as its trace events qmp_enter_* have them, or as
 * they stand in a transcript. qapi/migration.json.
 */
import type { MigrationKindName } from "../model/migration-kind.ts";

/** Capabilities that are a kind of migration; postcopy-ram only allows one, and postcopy-preempt too. */
const KIND_OF_CAPABILITY: Readonly<Record<string, MigrationKindName>> = {
  multifd: "multifd",
  "mapped-ram": "mapped-ram",
  xbzrle: "xbzrle",
  "auto-converge": "auto-converge",
  "dirty-limit": "dirty-limit",
  "background-snapshot": "background-snapshot",
  "x-colo": "colo",
};
const MODES: ReadonlySet<string> = new Set(["cpr-reboot", "cpr-transfer", "cpr-exec"]);
/** The commands that are understood. */
const COMMANDS = ["migrate-set-capabilities", "migrate-set-parameters", "migrate"] as const;
const MOST_CAPABILITIES = 256;

export class MigrationSettings {
  readonly #capabilities = new Map<string, boolean>();
  #mode = "normal";
  #file = false;

  /** Takes a command; `name` with `-` or `_`. Others, and arguments of another shape, say nothing. */
  command(name: string, given: unknown): void {
    const command = COMMANDS.find((one) => one === name.replaceAll("_", "-"));
    if (command === undefined || typeof given !== "object" || given === null) return;
    const args = given as { capabilities?: unknown; mode?: unknown; uri?: unknown };
    if (command === "migrate-set-parameters") {
      if (typeof args.mode === "string") this.#mode = args.mode;
    } else if (command === "migrate") {
      this.#file = typeof args.uri === "string" && args.uri.startsWith("file:");
    } else if (Array.isArray(args.capabilities)) {
      for (const one of args.capabilities as { capability?: unknown; state?: unknown }[]) {
        const known = this.#capabilities.has(String(one?.capability));
        if (typeof one?.capability !== "string" || typeof one.state !== "boolean") continue;
        if (known || this.#capabilities.size < MOST_CAPABILITIES) {
          this.#capabilities.set(one.capability, one.state);
        }
      }
    }
  }

  /** The same, where the arguments are JSON; other text says nothing. */
  commandText(name: string, json: string): void {
    try {
      this.command(name, JSON.parse(json));
    } catch (error) {
      // A text that was cut, as long lines of a trace are.
      if (!(error instanceof SyntaxError)) throw error;
    }
  }

  /** The same settings, which go their own way from here on. */
  copy(): MigrationSettings {
    const copy = new MigrationSettings();
    for (const [capability, on] of this.#capabilities) copy.#capabilities.set(capability, on);
    copy.#mode = this.#mode;
    copy.#file = this.#file;
    return copy;
  }

  has(capability: string): boolean {
    return this.#capabilities.get(capability) === true;
  }

  /** Kinds of the migration that begins under these settings, and the command that tells each. */
  kinds(): { kind: MigrationKindName; told: string }[] {
    const found: { kind: MigrationKindName; told: string }[] = [];
    for (const [capability, kind] of Object.entries(KIND_OF_CAPABILITY)) {
      if (this.has(capability)) found.push({ kind, told: "migrate-set-capabilities" });
    }
    if (MODES.has(this.#mode)) {
      found.push({ kind: this.#mode as MigrationKindName, told: "migrate-set-parameters" });
    }
    if (this.#file) found.push({ kind: "file", told: "migrate" });
    return found;
  }
}

/**
 * Settings by the commands in a transcript of QMP: a JSON object a line, the message itself or with it as
 * `msg`. Lines that are no command are passed over.
 */
export function settingsOfTranscript(text: string): MigrationSettings {
  const settings = new MigrationSettings();
  for (const line of text.split("\n")) {
    if (!line.includes('"execute"') || !line.includes("migrate")) continue;
    try {
      const message = JSON.parse(line) as { msg?: unknown };
      const { execute, arguments: args } = (message.msg ?? message) as {
        execute?: unknown;
        arguments?: unknown;
      };
      if (typeof execute === "string") settings.command(execute, args);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  return settings;
}
