/** Every recording in traces/: the predicted log equals what the kernel itself wrote. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import type { Round } from "../../src/model/result.ts";
import { fileSource } from "../../src/node/file-source.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import { memorySource, replayAll } from "../support/memory-source.ts";

const ROOT = join(import.meta.dirname, "../..", "traces");
const FORMS = ["trace.txt.gz", "report.txt.gz", "trace.dat", "record.dat"];

/** Inexact by nature, see docs/evidence.md: sync numbers and the caveat that must be named. */
const INEXACT: Record<string, { syncs: number[]; caveat: RegExp }> = {
  "18-lost": { syncs: [1], caveat: /events were lost|popped before the recording/ },
  "23-attach": { syncs: [2], caveat: /popped before the recording/ },
};

const GROUPS = ["vhost-scsi", "vhost-scsi-variants", "vhost-net", "vhost-vsock"];

interface Case {
  name: string;
  folder: string;
  form: string;
  policy: string;
}

function cases(): Case[] {
  const found: Case[] = [];
  for (const group of GROUPS) {
    for (const kernel of readdirSync(join(ROOT, group))) {
      const policy = kernel.startsWith("7.2")
        ? "linux-7.2"
        : kernel.startsWith("6.16")
          ? "linux-6.16"
          : kernel.startsWith("6.12")
            ? "linux-6.12.31"
            : "linux-6.1";
      const base = join(ROOT, group, kernel);
      const folders = existsSync(join(base, "syncs"))
        ? [base]
        : readdirSync(base).map((scenario) => join(base, scenario));
      for (const folder of folders.filter((path) => existsSync(join(path, "syncs")))) {
        for (const form of FORMS.filter((file) => existsSync(join(folder, file)))) {
          found.push({ name: `${kernel}/${basename(folder)}/${form}`, folder, form, policy });
        }
      }
    }
  }
  return found;
}

const CASES = cases();

test("there are recordings of four kernels, and of every form", () => {
  expect(CASES.length).toBeGreaterThan(50);
  for (const form of FORMS) expect(CASES.some((entry) => entry.form === form)).toBe(true);
  expect(new Set(CASES.map((entry) => entry.policy)).size).toBe(4);
});

describe.each(CASES)("$name", ({ folder, form, policy }) => {
  test(`equals the log of the kernel under ${policy}`, async () => {
    const differing: { number: number; round: Round }[] = [];
    let compared = 0;
    await replayAll([fileSource(join(folder, form))], {
      policies: [{ policy: findPolicy(policy), alias: null }],
      onSync: ({ mark, round, image, highestPage }) => {
        if (!mark) return;
        const file = join(folder, "syncs", `${String(mark.number).padStart(2, "0")}.bin`);
        const observed = readFileSync(file);
        compared++;
        // Images of vhost-net and vhost-vsock have trailing zero words cut off.
        const size = Math.max(observed.length, Math.ceil((highestPage(0) + 1) / 64) * 8);
        const whole = Buffer.concat([observed, Buffer.alloc(size - observed.length)]);
        if (Buffer.compare(image(0, size).image, whole) !== 0) {
          differing.push({ number: mark.number, round });
        }
      },
    });
    expect(compared).toBeGreaterThan(0);
    const inexact = INEXACT[basename(folder)];
    const patched = policy !== "linux-6.1" && policy !== "linux-6.12.31";
    for (const { number, round } of differing) {
      expect(patched && inexact?.syncs, `sync ${number}`).toContain(number);
      expect(round.caveats.join()).toMatch(inexact!.caveat);
    }
  });
});

/** All images in one; a bit is a page. */
function union(images: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(Math.max(0, ...images.map((image) => image.length)));
  for (const image of images) {
    for (const [index, byte] of image.entries()) all[index]! |= byte;
  }
  return all;
}

/** Recordings of the lab keep which pages the kernel really changed: docs/lab.md. */
const WITH_CHANGES = CASES.filter(({ folder }) => existsSync(join(folder, "changed")));

test("recordings of four kernels tell what really changed", () => {
  expect(new Set(WITH_CHANGES.map(({ policy }) => policy)).size).toBe(4);
});

test.each(WITH_CHANGES)(
  "$name: every page that changed is one that was written",
  async ({ folder, form }) => {
    const changed = union(
      readdirSync(join(folder, "changed")).map((name) =>
        readFileSync(join(folder, "changed", name)),
      ),
    );
    // What a kernel that logs everything would log, with logging on throughout.
    const written: Uint8Array[] = [];
    await replayAll([fileSource(join(folder, form))], {
      policies: [{ policy: findPolicy("linux-6.16"), alias: null }],
      window: "assumed",
      onSync: ({ image }) => {
        written.push(Uint8Array.from(image(0, changed.length).image));
      },
    });
    const covered = union(written);
    const missed = [...changed].flatMap((byte, index) =>
      (byte & ~covered[index]!) !== 0 ? [index] : [],
    );
    expect(changed.some((byte) => byte !== 0)).toBe(true);
    expect(missed).toEqual([]);
  },
);

test("the three forms of one run give the same result, byte for byte of the bitmaps", async () => {
  const folder = join(ROOT, "vhost-scsi", "6.16.12+deb13-amd64", "12-toggle");
  const images = await Promise.all(
    ["trace.txt.gz", "report.txt.gz", "trace.dat"].map(async (form) => {
      const all: string[] = [];
      await replayAll([fileSource(join(folder, form))], {
        onSync: ({ image }) => {
          for (let row = 0; row < 3; row++) {
            all.push(Buffer.from(image(row, 256).image).toString("hex"));
          }
        },
      });
      return all.join("\n");
    }),
  );
  expect(images[1]).toBe(images[0]);
  expect(images[2]).toBe(images[0]);
});

test.each([1, 7, 4096])("chunks of %i bytes change nothing", async (chunk) => {
  const file = join(ROOT, "vhost-scsi", "7.2.13+deb14-amd64", "01-smoke", "trace.txt.gz");
  const text = gunzipSync(readFileSync(file));
  const whole = await replayAll([memorySource("t", text)]);
  const chunked = await replayAll([memorySource("t", text, chunk)]);
  expect(chunked).toEqual(whole);
  expect(whole.policies[0]!.lost).toBe(10);
});

test("the unpatched prediction from a patched kernel's recording equals what 6.1 really logged", async () => {
  // Deterministic workloads: the same requests at the same addresses on both kernels.
  for (const scenario of ["02-read-direct", "03-indirect", "07-errors", "15-regions"]) {
    const patched = join(ROOT, "vhost-scsi", "6.16.12+deb13-amd64", scenario, "trace.txt.gz");
    const observed = join(ROOT, "vhost-scsi", "6.1.0-50-amd64", scenario, "syncs");
    let compared = 0;
    await replayAll([fileSource(patched)], {
      policies: [{ policy: findPolicy("unpatched"), alias: null }],
      onSync: ({ mark, image }) => {
        if (!mark) return;
        const log = readFileSync(join(observed, `${String(mark.number).padStart(2, "0")}.bin`));
        expect(Buffer.compare(image(0, log.length).image, log), `${scenario} ${mark.name}`).toBe(0);
        compared++;
      },
    });
    expect(compared).toBeGreaterThan(3);
  }
});
