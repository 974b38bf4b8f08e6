/** The faults of user-space back ends in docs/findings.md: each row's recording shows what the row says. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { runCommandLine } from "../../src/commands/program.ts";
import { loadApi } from "../../src/commands/shared/load-api.ts";
import { fakeIo } from "../support/report-fixture.ts";

const ROOT = join(import.meta.dirname, "../..");
const ROWS = readFileSync(join(ROOT, "docs/findings.md"), "utf8")
  .split("\n")
  .flatMap((line) => {
    const cells = line.split("|").map((cell) => cell.trim());
    const [, , , recording = "", options = "", seen = ""] = cells;
    if (!/^`--policy /.test(options)) return [];
    const codes = [...seen.matchAll(/`(lost-[a-z-]+)`/g)].map(([, code]) => code!);
    return [
      { recording: recording.replaceAll("`", ""), options: options.replaceAll("`", ""), codes },
    ];
  });

async function cli(...args: string[]) {
  const io = fakeIo();
  const api = await loadApi();
  const status = await runCommandLine(args, {
    io: () => io,
    tool: () => api.tool,
    load: async () => api,
  });
  return { status, json: JSON.parse(io.stdout) };
}

test("the table has a row for each back end that leaves something out", () => {
  expect(ROWS.map(({ options }) => options.split(" ")[1])).toEqual(
    expect.arrayContaining(["spdk-packed", "spdk-split", "dpdk-net"]),
  );
  expect(ROWS.length).toBeGreaterThan(5);
});

describe.each(ROWS)("$recording $options", ({ recording, options, codes }) => {
  const folder = join(ROOT, "traces/vhost-user", recording);
  const given = [folder, ...options.split(" "), "--json", "--quiet"];

  test(`has ${codes.join(" and ")}`, async () => {
    const { status, json } = await cli("report", ...given);
    expect(status).toBe(1);
    const found = json.machines[0].findings.map(({ code }: { code: string }) => code);
    expect(found).toEqual(expect.arrayContaining(codes));
  });

  test.skipIf(!existsSync(join(folder, "syncs")))("is predicted as it was logged", async () => {
    const { status } = await cli("verify", ...given);
    expect(status).toBe(0);
  });
});

test.each([
  ["spdk-blk-packed/01-basic", ["spdk-packed"]],
  ["dpdk-net-lab/split", ["dpdk-net", "libvhost-user"]],
])(
  "verify %s without a policy compares rows of back ends, none of the kernel's",
  async (name, rows) => {
    const { status, json } = await cli(
      "verify",
      join(ROOT, "traces/vhost-user", name),
      "--json",
      "--quiet",
    );
    expect(status).toBe(0);
    expect(json.policies.map((one: { name: string }) => one.name)).toEqual(rows);
  },
);
