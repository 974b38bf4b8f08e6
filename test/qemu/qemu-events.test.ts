/** The table of QEMU's events against the lists that QEMU 7.2, 10.0 and 11.1 install. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { EVENT_SLOTS, EventKind } from "../../assembly/event-abi.ts";
import {
  BlkSlot,
  CmdReqSlot,
  CmdRespSlot,
  DirtiedSlot,
  FillSlot,
  FlushSlot,
  LoadSlot,
  MapSlot,
  NotifySlot,
  PopSlot,
  SaveSlot,
} from "../../assembly/qemu-abi.ts";
import type { NormalisedEvent } from "../../src/model/event.ts";
import { QEMU_EVENTS, QEMU_UNUSED, qemuEventOfKind, slotOf } from "../../src/qemu/events.ts";
import { piecesOf } from "../../src/qemu/pattern.ts";
import { dump } from "../../src/replay/replay.ts";
import { eventTable } from "../support/event-table.ts";
import { memorySource, recordingOf } from "../support/memory-source.ts";

const VERSIONS = ["7.2", "10.0", "11.1"] as const;
/** In no excerpt; read from the whole list that QEMU 10.0 installs, and met in logs of it. */
const NOT_LISTED: ReadonlySet<string> = new Set([
  "cpr_state_save",
  "qmp_enter_migrate_set_capabilities",
  "qmp_enter_migrate_set_parameters",
]);

interface Listed {
  args: { name: string; type: string }[];
  /** As printf has it, lengths left out; empty for events that nothing reads. */
  format: string;
}

/** What a version's list of events says, by name (test/fixtures/qemu/README.md). */
function eventsOf(version: string): Map<string, Listed> {
  const text = readFileSync(join(import.meta.dirname, "../fixtures/qemu/events.tsv"), "utf8");
  const rows = text.split("\n").map((line) => line.split("\t"));
  return new Map(
    rows
      .filter(([first]) => first === version)
      .map(([, name = "", list = "", format = ""]) => {
        const words = list === "" ? [] : list.split(" ");
        const args = words.map((word) => ({ name: word.slice(0, -2), type: word.slice(-1) }));
        return [name, { args, format }];
      }),
  );
}

/** Our notation as printf's, to compare. */
const asPrintf = (format: string): string =>
  piecesOf(format)
    .map(({ text, conversion }) => text + (conversion === null ? "" : `%${conversion}`))
    .join("");
describe("the table", () => {
  test("has every column in every row", () => {
    for (const event of QEMU_EVENTS) {
      const { name, kind, slots, formats, role, recorded, redact, tells, source } = event;
      expect(name).toMatch(/^[a-z][a-z0-9_]+$/);
      expect(EventKind[kind], name).toMatch(/^Q/);
      expect(formats.length, name).toBeGreaterThan(0);
      for (const { versions } of formats) expect(versions.length, name).toBeGreaterThan(0);
      expect(slots.length, name).toBeLessThanOrEqual(EVENT_SLOTS);
      expect(["source", "destination", "both"], name).toContain(role);
      expect(typeof recorded, name).toBe("boolean");
      expect(Object.keys(redact).sort(), `${name}: every argument has its redaction`).toEqual(
        [...slots].sort(),
      );
      expect(tells.length, name).toBeGreaterThan(5);
      expect(source, name).toMatch(/^(hw|migration|system|accel)\/[\w/-]+\.c/);
    }
  });

  test("has one row for a name, and a row for every kind of QEMU's events", () => {
    const names = QEMU_EVENTS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const kinds = Object.values(EventKind).filter(
      (kind): kind is EventKind => typeof kind === "number" && kind > EventKind.Other,
    );
    expect(kinds.filter((kind) => !qemuEventOfKind(kind))).toEqual([]);
    expect(names.filter((name) => QEMU_UNUSED.includes(name))).toEqual([]);
  });

  test("gives events of one kind the same slots, so that a record of it can be named", () => {
    for (const event of QEMU_EVENTS) {
      const first = qemuEventOfKind(event.kind)!;
      expect(first.slots.slice(0, event.slots.length), event.name).toEqual(event.slots);
    }
  });

  test("names the arguments of each format as slots, in the order that the core reads", () => {
    for (const { name, slots, formats } of QEMU_EVENTS) {
      const named = formats.flatMap(({ text }) => piecesOf(text).flatMap((p) => p.name ?? []));
      expect([...new Set(named)].sort(), name).toEqual([...slots].sort());
    }
    const cores = [
      ...[MapSlot, PopSlot, FillSlot, FlushSlot, NotifySlot, CmdReqSlot, CmdRespSlot, BlkSlot],
      ...[SaveSlot, LoadSlot, DirtiedSlot],
    ];
    const kinds = [
      ...["QMap", "QPop", "QFill", "QFlush", "QNotify", "QScsiReq", "QScsiResp", "QBlk"],
      ...["QSave", "QLoad", "QDirtied"],
    ] as const;
    for (const [i, kind] of kinds.entries()) {
      for (const [name, slot] of Object.entries(cores[i]!)) {
        if (typeof slot === "number") expect(slotOf(EventKind[kind], name), name).toBe(slot);
      }
    }
  });

  test("makes the table of docs/qemu.md", () => {
    const page = readFileSync(join(import.meta.dirname, "../../docs/qemu.md"), "utf8");
    expect(page).toContain(eventTable());
  });
});

/** A value of each conversion that is no other's, and how QEMU prints it. */
const VALUES: Record<string, (i: number) => [printed: string, dumped: string | number]> = {
  p: (i) => [`0x55550000${i}000`, `0x55550000${i}000`],
  x: (i) => [`a${i}0`, `0xa${i}0`],
  u: (i) => [`${70 + i}`, 70 + i],
  d: (i) => [`-${30 + i}`, -30 - i],
  s: (i) => [`word${i}`, `word${i}`],
};

describe.each(QEMU_EVENTS)("$name", (event) => {
  test.each(event.formats)("is read as QEMU $versions print it", async ({ text }) => {
    const expected: Record<string, string | number> = {};
    let i = 0;
    const line = text.replace(/\{(\w+):([pxuds])\}/g, (_, name: string, conversion: string) => {
      const [printed, dumped] = VALUES[conversion]!(i++);
      expected[name] = dumped;
      return printed;
    });
    const log = `7@1795396508.298564:${event.name} ${line}\n`;
    const events: NormalisedEvent[] = [];
    await dump(await recordingOf(memorySource("src.log", log)), (found) => void events.push(found));
    expect(events).toHaveLength(1);
    const [found] = events;
    if (found?.event !== "qemu") throw new Error("no event of QEMU");
    expect(found.name).toBe(qemuEventOfKind(event.kind)!.name);
    for (const [name, value] of Object.entries(expected)) {
      expect(found.args[name], name).toBe(value);
    }
  });
});

describe.each(VERSIONS)("QEMU %s", (version) => {
  const events = eventsOf(version);

  test("names of arguments, their types and the formats are those of the list", () => {
    let checked = 0;
    for (const event of QEMU_EVENTS) {
      if (NOT_LISTED.has(event.name)) continue;
      const listed = events.get(event.name);
      const here = event.formats.some(({ versions }) => versions.includes(version));
      expect(here, `${event.name} is an event of QEMU ${version}`).toBe(listed !== undefined);
      if (!listed) continue;
      checked++;
      const { args } = listed;
      const own = event.formats.map(({ text }) => piecesOf(text).filter((p) => p.name !== null));
      const fitting = own.filter((pieces) => pieces.length === args.length);
      expect(fitting.length, `${event.name}: a format with ${args.length} arguments`).toBe(1);
      const named = fitting[0]!.map(({ name, conversion }) => ({
        name,
        type: conversion === "s" ? "s" : "u",
      }));
      expect(named, event.name).toEqual(args);
      const printed = event.formats.map(({ text }) => asPrintf(text));
      expect(printed, event.name).toContain(listed.format);
    }
    expect(checked).toBeGreaterThan(25);
  });

  test("some of the events that are named as not needed exist", () => {
    expect(QEMU_UNUSED.some((name) => events.has(name))).toBe(true);
  });
});

test("every event of the table is one of some version", () => {
  const all = VERSIONS.map(eventsOf);
  for (const name of [...QEMU_EVENTS.map((event) => event.name), ...QEMU_UNUSED]) {
    if (NOT_LISTED.has(name)) continue;
    expect(
      all.some((events) => events.has(name)),
      name,
    ).toBe(true);
  }
});
