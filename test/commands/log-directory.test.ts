/** A folder of images is whole, or visibly not there; its files take the room of what is in them. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openLogDirectory } from "../../src/commands/shared/log-directory.ts";
import { observedImages } from "../../src/commands/shared/observed.ts";
import { openRedactedFiles } from "../../src/commands/shared/redacted-files.ts";
import { writeSparse } from "../../src/node/sparse-file.ts";
import { LOG_INDEX_SCHEMA } from "../../src/report/json/log-index.ts";

const scratch = mkdtempSync(join(tmpdir(), "vhost-replay-log-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const ROOT = join(import.meta.dirname, "../..");
const CLI = join(ROOT, "dist/cli/cli.js");
const LOG = [
  "log",
  "--quiet",
  join(ROOT, "traces/vhost-scsi/6.1.0-50-amd64/12-toggle/trace.txt.gz"),
  "--policy",
];
/** Kills its process by SIGKILL in place of the rename behind the first RENAMES ones. */
const KILLER = `data:text/javascript,${encodeURIComponent(`
  import fs from "node:fs";
  import { syncBuiltinESMExports } from "node:module";
  const { rename } = fs.promises;
  let left = Number(process.env.RENAMES);
  fs.promises.rename = (...names) => {
    if (left-- <= 0) process.kill(process.pid, "SIGKILL");
    return rename(...names);
  };
  syncBuiltinESMExports();
`)}`;

const INDEX = JSON.stringify({ schema: LOG_INDEX_SCHEMA });
const image = (byte: number) => new Uint8Array(8).fill(byte);

async function write(path: string, byte: number, count: number): Promise<void> {
  const folder = await openLogDirectory(path);
  for (let i = 0; i < count; i++) await folder.add(`00${i}.bin`, image(byte));
  await folder.commit(INDEX);
}

describe("a run that is cut off between its renames", () => {
  test("leaves a folder that no reader takes for an answer, and the next run mends", async () => {
    const path = join(scratch, "cut");
    await write(path, 1, 4);
    // A folder where the third image goes stops the second run as a kill would.
    rmSync(join(path, "002.bin"));
    const folder = await openLogDirectory(path);
    for (let i = 0; i < 4; i++) await folder.add(`00${i}.bin`, image(2));
    mkdirSync(join(path, "002.bin", "x"), { recursive: true });
    await expect(folder.commit(INDEX)).rejects.toThrow();
    rmSync(join(path, "002.bin"), { recursive: true });
    expect(readFileSync(join(path, "001.bin"))[0]).toBe(2);
    expect(readFileSync(join(path, "003.bin"))[0]).toBe(1);

    expect(readdirSync(path)).not.toContain("index.json");
    await expect(observedImages(path)).rejects.toThrow("log was cut off while it wrote here");
    await write(path, 3, 2);
    expect(readdirSync(path).sort()).toEqual(["000.bin", "001.bin", "index.json"]);
    expect(await (await observedImages(path)).read(1)).toEqual(Buffer.from(image(3)));
  });

  test.each([1, 2, 3])(
    "is no answer when it is killed before its rename %d from the end",
    async (last) => {
      const path = join(scratch, `killed-${last}`);
      const run = (policy: string, renames = Number.POSITIVE_INFINITY) =>
        spawnSync(process.execPath, ["--import", KILLER, CLI, ...LOG, policy, "-o", path], {
          encoding: "utf8",
          env: { ...process.env, RENAMES: String(renames) },
        });
      expect(run("linux-6.1").status).toBe(0);
      const names = readdirSync(path).sort();
      const before = names.map((name) => readFileSync(join(path, name)));
      expect(names.length).toBeGreaterThan(3);

      expect(run("linux-6.16", names.length - last).signal).toBe("SIGKILL");
      await expect(observedImages(path)).rejects.toThrow("log was cut off while it wrote here");
      expect(run("linux-6.16").status).toBe(0);
      expect(readdirSync(path).sort()).toEqual(names);
      expect(names.some((name, i) => !readFileSync(join(path, name)).equals(before[i]!))).toBe(
        true,
      );
    },
  );

  test("leaves no mixture of redacted files either", async () => {
    const input = join(scratch, "input");
    await writeSparse(input, image(1));
    const output = join(scratch, "red.ndjson");
    const run = async (text: string) => {
      const files = await openRedactedFiles(output, [input, input]);
      for (const file of files.files) {
        await file.write(text);
        await file.end();
      }
      return files;
    };
    await (await run("old\n")).commit();
    const second = await run("new\n");
    rmSync(second.files[1]!.temporary);
    await expect(second.commit()).rejects.toThrow();
    expect(readFileSync(join(scratch, "red.1.ndjson"), "utf8")).toBe("new\n");
    expect(readdirSync(scratch)).not.toContain("red.2.ndjson");
  });
});

describe("an image", () => {
  test("of zeros takes no room, and what is in it stands where it belongs", async () => {
    const path = join(scratch, "sparse.bin");
    const content = new Uint8Array(1 << 26);
    content[5 << 20] = 7;
    content[content.length - 1] = 9;
    await writeSparse(path, content);
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(statSync(path).blocks * 512).toBeLessThan(1 << 20);
  });

  test("that no disk holds is refused before it is written", async () => {
    const folder = await openLogDirectory(join(scratch, "many"));
    const huge = { length: 2 ** 36 + 8 } as Uint8Array;
    await expect(folder.add("000.bin", huge)).rejects.toThrow("more than 64 GiB in all");
    await folder.discard();
  });
});
