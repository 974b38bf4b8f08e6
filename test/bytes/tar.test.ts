/** Where the files of a tar archive lie: also as GNU tar and pax write them. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Head } from "../../src/bytes/head.ts";
import { readFully } from "../../src/bytes/source.ts";
import { isTar, tarMemberSource, tarMembers } from "../../src/bytes/tar.ts";
import { tarHeader, tarOf, tarPadded } from "../support/make-tar.ts";
import { memorySource } from "../support/memory-source.ts";

const access = (bytes: Uint8Array) => memorySource("a.tar", bytes).random!();
const LONG = `${"folder-with-a-long-name/".repeat(9)}trace.txt`;

async function contents(bytes: Uint8Array): Promise<Record<string, string>> {
  const archive = access(bytes);
  const found: Record<string, string> = {};
  for (const member of await tarMembers("a.tar", archive)) {
    const source = tarMemberSource("a.tar", archive, member);
    const into = new Uint8Array(member.size);
    await readFully(source.stream(), into);
    found[source.name] = Buffer.from(into).toString();
    const half = new Uint8Array(member.size);
    expect(await source.random!().readAt(half, 1)).toBe(Math.max(0, member.size - 1));
  }
  return found;
}

test("each member is a file of its own, named behind the archive", async () => {
  expect(
    await contents(tarOf({ "./a.txt": "one", "b/c.txt": "x".repeat(513), empty: "" })),
  ).toEqual({
    "a.tar/a.txt": "one",
    "a.tar/b/c.txt": "x".repeat(513),
    "a.tar/empty": "",
  });
});

test.each(["gnu", "posix", "ustar", "v7"])("an archive of tar --format=%s", async (format) => {
  const folder = mkdtempSync(join(tmpdir(), "tar-test-"));
  try {
    const name = format === "v7" || format === "ustar" ? "trace.txt" : LONG.replaceAll("/", "_");
    writeFileSync(join(folder, name), "some text");
    execFileSync("tar", ["-C", folder, `--format=${format}`, "-cf", join(folder, "a.tar"), name]);
    const bytes = readFileSync(join(folder, "a.tar"));
    expect(isTar(new Head(bytes))).toBe(true);
    expect(await contents(bytes)).toEqual({ [`a.tar/${name}`]: "some text" });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("links, folders and headers of the whole archive are no members", async () => {
  const bytes = Buffer.concat([
    tarHeader("pax_global_header", 12, "g"),
    tarPadded("12 comment=x"),
    tarHeader("folder/", 0, "5"),
    tarHeader("link", 0, "2"),
    tarOf({ "a.txt": "one" }),
  ]);
  expect(await contents(bytes)).toEqual({ "a.tar/a.txt": "one" });
});

test("an archive that is cut off gives what is there, and says which member is cut", async () => {
  const bytes = tarOf({ "a.txt": "one", "b.txt": "x".repeat(2000) });
  const members = await tarMembers("a.tar", access(bytes.subarray(0, 512 * 3 + 100)));
  expect(members).toMatchObject([
    { name: "a.txt", size: 3, cut: false },
    { name: "b.txt", size: 100, cut: true },
  ]);
});

test("damage of a header ends the list, and none at the start is an error", async () => {
  const bytes = tarOf({ "a.txt": "one", "b.txt": "two" });
  bytes[1024 + 3]! ^= 1;
  expect(await tarMembers("a.tar", access(bytes))).toMatchObject([{ name: "a.txt" }]);
  bytes[3]! ^= 1;
  expect(isTar(new Head(bytes))).toBe(false);
  await expect(tarMembers("a.tar", access(bytes))).rejects.toThrow("expected a tar archive");
});
