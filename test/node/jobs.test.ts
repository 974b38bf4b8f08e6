/** Threads change how long it takes, and nothing else. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { RecordingError } from "../../src/model/place.ts";
import { fileSource, nodeSurroundings } from "../../src/node/index.ts";
import { dump, replay } from "../../src/replay/replay.ts";
import { POLICIES } from "../../src/vhost/policy.ts";
import { coreModule } from "../support/memory-source.ts";

const TRACES = join(import.meta.dirname, "../..", "traces");
/** All compressed with zstd, of one and of several CPUs and chunks. */
const RECORDINGS = [
  "vhost-scsi-variants/6.1-long/trace.dat",
  "vhost-scsi/6.1.0-50-amd64/12-toggle/trace.dat",
  "vhost-scsi/6.16.12+deb13-amd64/18-lost/trace.dat",
  "vhost-scsi/7.2.13+deb14-amd64/12-toggle/trace.dat",
];
const folder = mkdtempSync(join(tmpdir(), "vhost-replay-jobs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function answers(path: string, jobs: number): Promise<string> {
  const recording = {
    sources: [fileSource(path)],
    surroundings: nodeSurroundings(() => {}, jobs),
    module: await coreModule(),
  };
  const text = (value: unknown) =>
    JSON.stringify(value, (_, entry) => (typeof entry === "bigint" ? entry.toString() : entry));
  try {
    const policies = POLICIES.slice(0, 8).map((policy) => ({ policy, alias: null }));
    const images: string[] = [];
    const result = await replay(recording, {
      policies,
      window: "auto",
      onSync: (view) => {
        images.push(Buffer.from(view.image(0, 1 << 20).image).toString("base64"));
      },
    });
    const events: string[] = [];
    await dump(recording, (event) => void events.push(text(event)));
    return [text(result), ...images, ...events].join("\n");
  } catch (error) {
    if (error instanceof RecordingError) return error.message;
    throw error;
  }
}

describe.each(RECORDINGS)("%s", (name) => {
  const path = join(TRACES, name);

  test("gives the same for any number of threads", async () => {
    const bytes = readFileSync(path);
    expect(bytes.includes("zstd")).toBe(true);
    const one = await answers(path, 1);
    expect(one.length).toBeGreaterThan(10_000);
    for (const jobs of [2, 3]) expect(await answers(path, jobs)).toBe(one);
  });

  test("damaged anywhere, fails with the same words", async () => {
    const bytes = readFileSync(path);
    for (const part of [0.05, 0.35, 0.65, 0.95]) {
      const damaged = Buffer.from(bytes);
      const at = Math.floor(bytes.length * part);
      damaged.fill(0xa5, at, at + 64);
      const file = join(folder, "damaged.dat");
      writeFileSync(file, damaged);
      const one = await answers(file, 1);
      expect(await answers(file, 2)).toBe(one);
    }
  });
});
