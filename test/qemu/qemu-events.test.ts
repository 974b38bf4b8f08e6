/** The table of QEMU's events against the lists that QEMU 7.2, 10.0 and 11.1 install. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { EVENT_SLOTS } from "../../assembly/abi.ts";
import { QEMU_EVENTS, QEMU_UNUSED } from "../../src/qemu/events.ts";
import { piecesOf } from "../../src/qemu/pattern.ts";
import { readTraceEvents } from "../../src/qemu/trace-events.ts";

const FOLDER = join(import.meta.dirname, "../../../shared/recordings/qemu/events");
const VERSIONS = ["7.2", "10.0", "11.1"] as const;

/** `name(arguments) "format"`, macros such as PRIx64 written out as conversions. */
function formatsOf(text: string): Map<string, string> {
  const formats = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^(?:vcpu |disable )*(\w+)\s*\([^)]*\)\s*(.*)$/.exec(line.trim());
    if (!match) continue;
    // Adjacent literals and macros are one string: "a 0x%" PRIx64 " b".
    const pieces = [...match[2]!.matchAll(/"((?:[^"\\]|\\.)*)"|PRI([xuid])\d+/g)];
    formats.set(match[1]!, pieces.map(([, literal, macro]) => literal ?? macro).join(""));
  }
  return formats;
}

/** Our notation as printf's, to compare. */
const asPrintf = (format: string): string =>
  piecesOf(format)
    .map(({ text, conversion }) => text + (conversion === null ? "" : `%${conversion}`))
    .join("");
/** printf's conversions as the five that are told apart. */
const normal = (format: string): string =>
  format
    .replace(/%(?:l|ll|z|h|hh)?([xudi])/g, (_, c: string) => `%${c === "i" ? "d" : c}`)
    .replace(/%zu/g, "%u");

test("every slot of every event fits the record", () => {
  for (const { name, slots } of QEMU_EVENTS)
    expect(slots.length, name).toBeLessThanOrEqual(EVENT_SLOTS);
});

test("events of one kind have the same arguments, so that a record of it can be named", () => {
  for (const event of QEMU_EVENTS) {
    const first = QEMU_EVENTS.find(({ kind }) => kind === event.kind)!;
    for (const [i, slot] of event.slots.entries()) {
      if (first.slots[i] !== undefined) expect(first.slots[i], event.name).toBe(slot);
    }
  }
});

describe.skipIf(!existsSync(FOLDER)).each(VERSIONS)("QEMU %s", (version) => {
  const text = existsSync(FOLDER)
    ? readFileSync(join(FOLDER, `relevant-${version}.txt`), "utf8")
    : "a(void)";
  const events = readTraceEvents(text, version);
  const formats = formatsOf(text);

  test("names of arguments, their types and the formats are those of the list", () => {
    let checked = 0;
    for (const event of QEMU_EVENTS) {
      const listed = events.get(event.name);
      if (!listed) continue;
      checked++;
      const own = event.formats.map((format) => piecesOf(format).filter((p) => p.name !== null));
      const fitting = own.filter((pieces) => pieces.length === listed.length);
      expect(fitting.length, `${event.name}: a format with ${listed.length} arguments`).toBe(1);
      expect(
        fitting[0]!.map(({ name }) => name),
        event.name,
      ).toEqual(listed.map((a) => a.name));
      expect(
        fitting[0]!.map(({ conversion }) => (conversion === "s" ? "s" : "u")),
        event.name,
      ).toEqual(listed.map((a) => a.type));
      expect(event.formats.map(asPrintf), event.name).toContain(normal(formats.get(event.name)!));
    }
    expect(checked).toBeGreaterThan(25);
  });

  test("events that are named as not needed exist", () => {
    expect(QEMU_UNUSED.filter((name) => events.has(name)).length).toBeGreaterThan(14);
  });
});

test.skipIf(!existsSync(FOLDER))("every event of the table is one of some version", () => {
  const all = VERSIONS.map((version) =>
    readTraceEvents(readFileSync(join(FOLDER, `relevant-${version}.txt`), "utf8"), version),
  );
  for (const name of [...QEMU_EVENTS.map((event) => event.name), ...QEMU_UNUSED]) {
    expect(
      all.some((events) => events.has(name)),
      name,
    ).toBe(true);
  }
});
