/** The whole life of a page: sends, marks of vCPUs, reads of the log, arrivals, the verdict; and its addresses. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ask } from "../../src/answers/life.ts";
import { guestAddress } from "../../src/answers/page-travel.ts";
import type { Source } from "../../src/bytes/source.ts";
import { qemuAddress } from "../../src/commands/shared/guest-address.ts";
import { explainText } from "../../src/report/text/explain-text.ts";
import { textStyle } from "../../src/report/text/text-layout.ts";
import { memorySource, recordingOf } from "../support/memory-source.ts";
import { MigrationGuest } from "../support/migration-guest.ts";

const TRACES = join(import.meta.dirname, "../../traces/migration/6.1");
const trace = (name: string): Source => memorySource(name, readFileSync(join(TRACES, name)));
const real = () => recordingOf(trace("trace.txt.gz"), trace("dst.simpletrace.gz"));

describe("a page of a real migration", () => {
  test("is written, sent before its last write, received once, and stale", async () => {
    const answer = await ask(await real(), { range: { gpa: 0x400000, len: 1 } });
    const { source, destination } = answer.lives[0]!.travel!;
    expect(source.filter(({ kind }) => kind === "sent")).toEqual([
      { kind: "sent", ns: "18151052000", place: "trace.txt.gz:1759", gfn: 0x400 },
    ]);
    expect(source.filter(({ kind }) => kind === "log-read").length).toBeGreaterThan(80);
    expect(destination).toMatchObject([{ kind: "received", gfn: 0x400 }]);
    expect(answer.lives[0]!.verdicts).toEqual([
      { policy: "linux-6.1", stale: 1, likely: 0, possibly: 0, healed: [] },
      { policy: "linux-6.16", stale: 0, likely: 0, possibly: 0, healed: [] },
    ]);
    const text = explainText(answer, textStyle(false));
    const at = (line: string): number => text.indexOf(line);
    expect(at("18.151052  sent page 0x400")).toBeGreaterThan(at("18.047330  write"));
    expect(at("19.209503  write")).toBeGreaterThan(at("18.151052  sent"));
    expect(text).toContain("at the destination under linux-6.1: 1 page stale");
    expect(text).toMatch(/received with data: page 0x400/);
    expect(text).toMatch(/\n {16}\d+ more syncs\n/);
  });

  test("a page of zeros is seen at the destination alone", async () => {
    const { travel } = (await ask(await real(), { range: { gpa: 0x3000, len: 1 } })).lives[0]!;
    const kinds = travel!.destination.map(({ kind }) => kind);
    expect([...new Set(kinds)]).toEqual(["received-zero"]);
    expect(travel!.source.some(({ kind }) => kind === "sent")).toBe(false);
  });
});

test("marks of vCPUs are of the page that the slot says", async () => {
  const guest = new MigrationGuest();
  guest.slot().start().bitmapSync().save(0x202).flush().bitmapSync();
  guest.qemu("kvm_dirty_ring_page", { vcpu: 0, slot: 0, offset: "0x202" });
  guest.switchover().end();
  const recording = await recordingOf(memorySource("m", guest.ndjson()));
  const { travel } = (await ask(recording, { range: { gpa: 0x202000, len: 1 } })).lives[0]!;
  expect(travel!.source.map(({ kind }) => kind)).toContain("marked-by-vcpu");
  const other = await ask(recording, { range: { gpa: 0x203000, len: 1 } });
  expect(other.lives[0]!.travel!.source.map(({ kind }) => kind)).not.toContain("marked-by-vcpu");
});

describe("an address", () => {
  test.each([
    ["hva:0x7f0a35a00000", { hva: 0x7f0a35a00000n }],
    ["pc.ram+0x400000", { block: "pc.ram", offset: 0x400000 }],
    ["0000:00:02.0/vga.vram+4096", { block: "0000:00:02.0/vga.vram", offset: 4096 }],
    ["0x1000+512", null],
    ["gfn:0x10+2", null],
    ["4K", null],
  ])("%s is read", (text, address) => {
    expect(qemuAddress(text)).toEqual(address);
  });

  test("of QEMU's process, and of a RAM block, is the guest's", async () => {
    const recording = await real();
    expect(await guestAddress(recording, { hva: 0x7f0a35a00123n })).toBe(0x400123);
    expect(await guestAddress(recording, { block: "pc.ram", offset: 0x400123 })).toBe(0x400123);
    const mtree = [{ block: "pc.ram", offset: 0x400000, gpa: 0x100000000, size: 0x1000 }];
    expect(
      await guestAddress({ ...recording, memoryMap: mtree }, { block: "pc.ram", offset: 0x400123 }),
    ).toBe(0x100000123);
  });

  test("that nothing tells is refused", async () => {
    const recording = await real();
    await expect(guestAddress(recording, { hva: 0x1000n })).rejects.toThrow(
      /^hva:0x1000: .*--mtree/,
    );
    await expect(guestAddress(recording, { block: "vga.vram", offset: 0 })).rejects.toThrow(
      "vga.vram+0x0",
    );
  });
});
