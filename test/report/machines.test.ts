/** Several machines in one recording: each by itself, and never added up. */
import { describe, expect, test } from "vitest";
import { statusOf } from "../../src/answers/lost.ts";
import { machineNumber, oneMachine, selectMachines } from "../../src/answers/machines.ts";
import { statusOf as staleStatus } from "../../src/answers/stale.ts";
import { runCommandLine } from "../../src/commands/program.ts";
import { UsageError } from "../../src/model/place.ts";
import type { MachineResult } from "../../src/model/result.ts";
import {
  fakeApi,
  fakeIo,
  machineOf,
  migrationOf,
  policyResult,
  resultOf,
} from "../support/report-fixture.ts";
import { errorsOf } from "../support/schemas.ts";

const LOSES = machineOf({ number: 1, pid: 4240, toldBy: ["worker", "ioctl"] });
const none = [policyResult({ lost: 0, stillLost: 0, lostRuns: [] })];
const KEEPS = machineOf({
  number: 2,
  pid: 12345,
  toldBy: ["memory"],
  policies: none,
  findings: [],
});
const SILENT = machineOf({ number: 3, verdict: false, policies: [], findings: [] });

const both = () => resultOf({ machines: [LOSES, KEEPS] });

async function cli(line: string, result = both()) {
  const io = fakeIo();
  const api = fakeApi(result);
  const status = await runCommandLine(line.split(" "), {
    io: () => io,
    tool: () => api.tool,
    load: async () => api,
  });
  return { status, stdout: io.stdout, stderr: io.stderr };
}

describe("the text of two machines", () => {
  test("has the answer of each first, then the recording, then each by itself", async () => {
    const { status, stdout } = await cli("report m.txt --policy unpatched --policy patched");
    expect(status).toBe(1);
    const lines = stdout.split("\n");
    expect(lines[0]).toMatch(/^Machine 1, PID 4240: Unpatched vhost-scsi \(linux-6\.1\) would/);
    expect(stdout).toMatch(
      /^Machine 2, PID 12345: Unpatched vhost-scsi .* would have left no guest\s+page/m,
    );
    const titles = lines.filter((line) => line.startsWith("== "));
    expect(titles).toEqual(["== Machine 1, PID 4240", "== Machine 2, PID 12345"]);
    expect(stdout.indexOf("m.txt: ftrace text")).toBeLessThan(stdout.indexOf("== Machine 1"));
    expect(stdout.match(/m\.txt: ftrace text/g)).toHaveLength(1);
    expect(stdout).toMatch(
      /Told from the others by the name of its vhost workers and the process of its\s+ioctls\./,
    );
    expect(stdout.split("== Machine 2")[1]).not.toContain("Lost by");
  });

  test.each(["stale m.txt", "info m.txt", "explain m.txt --gpa 0x214000"])(
    "%s speaks of both",
    async (line) => {
      const { stdout } = await cli(line);
      expect(stdout).toContain("== Machine 1, PID 4240");
      expect(stdout).toContain("== Machine 2, PID 12345");
    },
  );

  test("one machine is spoken of as ever, with a line that names it where it is known", async () => {
    const { stdout } = await cli(
      "report m.txt --policy unpatched --policy patched --machine 4240 --machine-name 4240=web",
    );
    expect(stdout).toMatch(/^Unpatched vhost-scsi/);
    expect(stdout).toMatch(
      /\nMachine: PID 4240 \(web\), by the name of its vhost workers and the process of its\s+ioctls\n/,
    );
    const unnamed = await cli("report m.txt", resultOf());
    expect(unnamed.stdout).not.toContain("achine");
  });
});

describe("--machine", () => {
  const named = { machineNames: new Map([[12345, "web"]]) };

  test.each([
    ["1", 1],
    ["2", 2],
    ["4240", 1],
    ["web", 2],
  ])("%s is machine %i", (machine, number) => {
    const { machines } = selectMachines(both(), { ...named, machine });
    expect(machines.map((one) => one.number)).toEqual([number]);
  });

  test("a PID goes before a number from 100 on, a number before a PID up to 99", () => {
    const many = Array.from({ length: 150 }, (_, i) =>
      machineOf({ number: i + 1, pid: i === 0 ? 120 : i === 1 ? 7 : 5000 + i }),
    );
    const chosen = (machine: string) =>
      selectMachines(resultOf({ machines: many }), { machine }).machines[0]!.number;
    expect(chosen("120")).toBe(1);
    expect(chosen("121")).toBe(121);
    expect(chosen("7")).toBe(7);
  });

  test("what is not in the recording is said, with what is", async () => {
    const { status, stderr } = await cli("report m.txt --machine 77777");
    expect(status).toBe(2);
    expect(stderr).toBe(
      'vhost-replay: no machine "77777"; the recording holds machine 1 (PID 4240), 2 (PID 12345)\n',
    );
    const unknown = await cli("report m.txt --machine-name 1=web");
    expect(unknown.status).toBe(2);
    expect(unknown.stderr).toContain("no machine of PID 1; the recording holds machine 1");
    for (const bad of ["web", "0=web", "1=", "4240=a --machine-name 4240=b"]) {
      expect((await cli(`report m.txt --machine-name ${bad}`)).status).toBe(2);
    }
  });

  test("a question about one machine asks for it", async () => {
    const { status, stderr } = await cli(`verify m.txt --observed ${import.meta.dirname}`);
    expect([status, stderr]).not.toEqual([0, ""]);
    expect(() => oneMachine(both(), {})).toThrow(UsageError);
    expect(() => oneMachine(both(), {})).toThrow("choose one with --machine");
    expect(oneMachine(both(), { machine: "2" }).machine.pid).toBe(12345);
  });

  test("a number costs nothing; a PID or a name costs a reading of its own", async () => {
    let readings = 0;
    const run = async () => {
      readings += 1;
      return both();
    };
    const base = { policies: [], window: "auto" } as const;
    const recording = undefined as never;
    expect(await machineNumber(recording, {}, base, run)).toBeNull();
    expect(await machineNumber(recording, { machine: "2" }, base, run)).toBe(2);
    expect(readings).toBe(0);
    expect(await machineNumber(recording, { machine: "12345" }, base, run)).toBe(2);
    expect(readings).toBe(1);
  });
});

describe("the status of several machines", () => {
  const of = (...machines: MachineResult[]) => ({ result: resultOf({ machines }) });

  test("is 1 when any loses, else 3 when any has no verdict, else 0", () => {
    expect(statusOf(of(KEEPS, LOSES, SILENT))).toBe(1);
    expect(statusOf(of(KEEPS, SILENT))).toBe(3);
    expect(statusOf(of(KEEPS, KEEPS))).toBe(0);
  });

  test("of stale: a machine that is not migrated is no open question beside one that is", () => {
    const clean = migrationOf([{ policy: "linux-6.16", stale: [], possiblyStale: [] }]);
    const migrated = machineOf({ number: 2, migrations: [clean] });
    const judged = null;
    expect(staleStatus({ ...of(KEEPS, migrated), judged })).toBe(0);
    expect(staleStatus({ ...of(KEEPS), judged })).toBe(3);
    expect(staleStatus({ ...of(migrated, { ...migrated, verdict: false }), judged })).toBe(3);
  });
});

test.each(["report", "stale", "info", "explain --gpa 0x214000"])(
  "%s --json lists the machines, and is what its schema says",
  async (line) => {
    const [command, ...options] = line.split(" ");
    const { stdout } = await cli([command, "m.txt", ...options, "--json"].join(" "));
    const document = JSON.parse(stdout);
    expect(errorsOf(command!, document)).toEqual([]);
    expect(document.machines.map(({ pid }: { pid: number }) => pid)).toEqual([4240, 12345]);
  },
);
