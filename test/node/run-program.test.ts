/** No run hangs: src/node/run-program.ts. A run that does is ended by the time limit of the test. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type ProgramHost, runProgram } from "../../src/node/run-program.ts";

const ROOT = join(import.meta.dirname, "../..");
const PROGRAM = join(ROOT, "test/support/hot-program.mjs");
const CLI = join(ROOT, "dist/cli/cli.js");
const RECORDING = join(ROOT, "traces/vhost-scsi/6.1.0-50-amd64/12-toggle/trace.dat");
/** The hang of one run in 500 under load becomes that of nearly every run. */
const HOT = ["--no-incremental-marking", "--concurrent-recompilation-delay=200"];
/** The text `abc`. */
const XZ = Buffer.from(
  "/Td6WFoAAAFpIt42AgAhARYAAAB0L+WjAQACYWJjAADCQSQ1AAEXAwdgDLyQQpkNAQAAAAABWVo=",
  "base64",
);
/** Of each kind: one alone may get through. */
const RUNS = 3;
/** Prints when the event loop runs empty. */
const TELL_EMPTY = `process.on("beforeExit", () => process.stderr.write("the event loop ran empty\\n"))`;

const children = new Set<ChildProcess>();
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
  vi.useRealTimers();
});

interface Ended {
  status: number | null;
  stdout: string;
  stderr: string;
}

function start(args: readonly string[]) {
  const child = spawn(process.execPath, args);
  children.add(child);
  const said = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said.stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said.stderr += text;
  });
  const ended = new Promise<Ended>((resolve) =>
    child.on("close", (status) => resolve({ status, ...said })),
  );
  return { child, ended };
}

const node = (args: readonly string[]): Promise<Ended> => start(args).ended;

describe("a program ends while background compile jobs wait for garbage to be collected", () => {
  for (const how of ["end", "wait"]) {
    test(`after ${how === "end" ? "its work" : "waiting for Wasm to compile"}, with all output and its status`, async () => {
      for (let i = 0; i < RUNS; i++) {
        const { status, stdout, stderr } = await node([...HOT, PROGRAM, how]);
        expect({ status, bytes: stdout.length, stderr }).toEqual({
          status: 3,
          bytes: 1 << 20,
          stderr: "",
        });
      }
    });
  }

  test("after an uncaught exception", async () => {
    for (let i = 0; i < RUNS; i++) {
      const { status, stderr } = await node([...HOT, PROGRAM, "throw"]);
      expect(status).toBe(1);
      expect(stderr).toContain("Error: thrown");
      expect(stderr).not.toContain("ran empty");
    }
  });
});

describe("the event loop never runs empty", () => {
  test("in a command, on a compressed trace.dat", async () => {
    const hook = `data:text/javascript,${encodeURIComponent(TELL_EMPTY)}`;
    const { status, stdout, stderr } = await node([
      ...HOT,
      "--import",
      hook,
      CLI,
      "report",
      RECORDING,
    ]);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^Affected, whichever kernel ran: /);
    expect(status).toBe(1);
  });

  for (const part of ["core", "zstd", "xz"]) {
    test(`in the library, while ${part} is made ready`, async () => {
      for (let i = 0; i < RUNS; i++) {
        const { child, ended } = start([...HOT, PROGRAM, part]);
        child.stdin.end(XZ);
        // How the program ends is its own affair.
        const first = await Promise.race([once(child.stdout, "data"), ended]);
        expect(String(first)).toBe("ready\n");
        child.kill("SIGKILL");
      }
    });
  }
});

describe("a promise that never settles", () => {
  test("is found, and is a bug", async () => {
    const { status, stderr } = await node([PROGRAM, "never"]);
    expect(stderr).toMatch(
      /^vhost-replay: this is a bug .* it waits for something that cannot come\n$/,
    );
    expect(status).toBe(70);
  });

  function fakeHost(resources: () => string[], cpu = () => 0) {
    const exits: number[] = [];
    const stream = { writable: false, write: () => true } as unknown as NodeJS.WritableStream;
    const host: ProgramHost = {
      stdout: stream,
      stderr: stream,
      getActiveResourcesInfo: resources,
      cpuUsage: () => ({ user: cpu(), system: 0 }),
      once: () => {},
      exit: (status) => void exits.push(status) as never,
    };
    return { host, exits };
  }

  test("is not confused with a wait for the outside, however long", async () => {
    vi.useFakeTimers();
    let resources = ["PipeWrap", "Timeout"];
    const { host, exits } = fakeHost(() => resources);
    let settle: (status: number) => void = () => {};
    const run = runProgram(host, () => new Promise((resolve) => (settle = resolve)));
    resources = ["PipeWrap", "PipeWrap", "Timeout"];
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(exits).toEqual([]);
    settle(0);
    await run;
    expect(exits).toEqual([0]);
  });

  test("is not confused with work in other threads, of which Node.js tells nothing", async () => {
    vi.useFakeTimers();
    let spent = 0;
    const { host, exits } = fakeHost(
      () => ["Timeout"],
      () => (spent += 20_000),
    );
    void runProgram(host, () => new Promise(() => {}));
    await vi.advanceTimersByTimeAsync(60_000);
    expect(exits).toEqual([]);
  });

  test("counts only when nothing happened for ten seconds on end", async () => {
    vi.useFakeTimers();
    let resources = ["Timeout"];
    const { host, exits } = fakeHost(() => resources);
    void runProgram(host, () => new Promise(() => {}));
    await vi.advanceTimersByTimeAsync(9_500);
    resources = ["FSReqCallback", "Timeout"];
    await vi.advanceTimersByTimeAsync(1_000);
    resources = ["Timeout"];
    await vi.advanceTimersByTimeAsync(9_500);
    expect(exits).toEqual([]);
    await vi.advanceTimersByTimeAsync(500);
    expect(exits[0]).toBe(70);
  });
});
