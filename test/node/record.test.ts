import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { runCommandLine } from "../../src/commands/program.ts";
import { finishBundle, type RecordArguments } from "../../src/commands/record.ts";
import { kernelSet } from "../../src/node/record/define-probes.ts";
import { type KernelProbes, kernelProbes } from "../../src/node/record/kernel-probes.ts";
import { cleanUp } from "../../src/node/record/record-cleanup.ts";
import { type RecordOptions, recordBundle } from "../../src/node/record/record-session.ts";
import {
  ownId,
  readState,
  removeState,
  stateFolder,
  writeState,
} from "../../src/node/record/record-state.ts";
import { TraceFs } from "../../src/node/record/tracefs.ts";
import { type FakeHost, fakeHost } from "../support/fake-host.ts";
import { fakeApi, fakeIo } from "../support/report-fixture.ts";
import { errorsOf } from "../support/schemas.ts";

const ROOT = join(import.meta.dirname, "../..");
const RELEASE = "6.1.0-50-amd64";
const PIPE =
  "     vhost-1-2     [000] .....    12.9: uflags: (vhost_update_used_flags+0x0/0xb0 [vhost]) vq=0x1 uflags=0x0 logused=0 logaddr=0x11000\n";

let scratch = "";
let probes: KernelProbes;
let host: FakeHost;
let said: string[];
const say = (line: string): void => void said.push(line);

beforeAll(async () => {
  scratch = mkdtempSync(join(tmpdir(), "vhost-replay-"));
  probes = await kernelProbes({
    btf: join(ROOT, "test/fixtures/btf", RELEASE),
    kernel: RELEASE,
    architecture: null,
    form: null,
    drivers: ["scsi"],
    requests: false,
  });
});
afterAll(() => rmSync(scratch, { recursive: true }));
beforeEach(() => {
  host = fakeHost();
  host.pipe = PIPE;
  said = [];
});
afterEach(() => host.close());

let count = 0;
function options(fields: Partial<RecordOptions> = {}): RecordOptions {
  return {
    output: join(scratch, `bundle-${count++}`),
    bufferKib: 1024,
    recorder: "tracefs",
    pid: null,
    writesOnly: false,
    seconds: 0.05,
    bytes: null,
    qemuSocket: null,
    ...fields,
  };
}

const never = new AbortController().signal;
const record = (given: RecordOptions, signal = never) =>
  recordBundle(host, kernelSet(probes), given, signal, say);
/** For what a bundle would be made of; the bundle itself is given up. */
async function factsOf(given: RecordOptions, signal = never) {
  const { facts, bundle, release } = await record(given, signal);
  bundle.discard();
  release();
  return facts;
}

/** Nothing of ours is left in the kernel, nor beside the bundle's name. */
function expectNothingLeft(output: string): void {
  expect(readFileSync(join(host.tracing, "kprobe_events"), "utf8")).toBe("");
  expect(existsSync(join(host.tracing, "events/vl"))).toBe(false);
  expect(existsSync(join(host.tracing, "instances/vhost-replay"))).toBe(false);
  expect(existsSync(stateFolder(host))).toBe(false);
  expect(existsSync(`${output}.partial`)).toBe(false);
}

describe("a host on which nothing can be recorded says so in one line:", () => {
  const cases: [string, () => FakeHost, string][] = [
    ["not root", () => Object.assign(fakeHost(), { uid: 1000 }), "needs root"],
    [
      "no tracefs in the kernel",
      () => {
        const none = fakeHost({ mounted: false });
        rmSync(none.tracing, { recursive: true });
        return none;
      },
      "this kernel has no tracefs",
    ],
    [
      "tracefs that cannot be mounted",
      () => {
        const bare = fakeHost({ mounted: false });
        bare.failing.set(/tracing$/, "EPERM");
        return bare;
      },
      "tracefs is not mounted, and mounting it on",
    ],
    ["no kprobes", () => fakeHost({ kprobes: false }), "no kprobe events (CONFIG_KPROBE_EVENTS)"],
    [
      "a lockdown",
      () => {
        const locked = fakeHost();
        execFileSync("mkdir", ["-p", `${locked.root}/sys/kernel/security`]);
        writeFileSync(
          `${locked.root}/sys/kernel/security/lockdown`,
          "none integrity [confidentiality]\n",
        );
        return locked;
      },
      "the kernel is locked down (confidentiality), which forbids probes",
    ],
  ];
  test.each(cases)("%s", (_, make, message) => {
    const broken = make();
    try {
      expect(() => TraceFs.open(broken, "kprobe")).toThrow(message);
    } finally {
      broken.close();
    }
  });

  test("integrity lockdown allows it, and tracefs is mounted where it was not", () => {
    const bare = fakeHost({ mounted: false });
    execFileSync("mkdir", ["-p", `${bare.root}/sys/kernel/security`]);
    writeFileSync(
      `${bare.root}/sys/kernel/security/lockdown`,
      "none [integrity] confidentiality\n",
    );
    expect(TraceFs.open(bare, "kprobe").root).toBe(bare.tracing);
    bare.close();
  });
});

describe("a recording", () => {
  test("is a bundle whose manifest names what is in it, and leaves nothing in the kernel", async () => {
    const given = options();
    const recorded = await record(given);
    await finishBundle(fakeApi(), fakeIo(), {
      host,
      missing: probes.placement.missing,
      program: null,
      recorded,
      options: given,
      drivers: ["scsi"],
      requests: false,
      say,
    });
    expect(readdirSync(given.output).sort()).toEqual([
      "kprobe-profile.txt",
      "manifest.json",
      "probes.txt",
      "ringbuf-stats.txt",
      "trace.txt",
    ]);
    const manifest = JSON.parse(readFileSync(join(given.output, "manifest.json"), "utf8"));
    expect(errorsOf("bundle", manifest)).toEqual([]);
    for (const { name, bytes, sha256 } of manifest.files) {
      const content = readFileSync(join(given.output, name));
      expect(content.length).toBe(bytes);
      expect(createHash("sha256").update(content).digest("hex")).toBe(sha256);
    }
    expect(manifest.files).toHaveLength(4);
    for (const name of ["", ...readdirSync(given.output)]) {
      expect(statSync(join(given.output, name)).mode & 0o077, `for others: ${name}`).toBe(0);
    }
    expect(manifest.endedBy).toBe("time");
    expect(manifest.loss).toEqual({ events: 0, returns: 0 });
    expect(readFileSync(join(given.output, "trace.txt"), "utf8")).toBe(
      `# tracer: nop\n#\n# vhost-replay record; clock mono\n${PIPE}`,
    );
    const listed = readFileSync(join(given.output, "probes.txt"), "utf8");
    expect(listed.trimEnd().split("\n")).toHaveLength(9);
    expectNothingLeft(given.output);
  });

  test("as an archive holds the same files under its name", async () => {
    const given = options({ output: join(scratch, "packed.tar.zst") });
    const recorded = await record(given);
    await finishBundle(fakeApi(), fakeIo(), {
      host,
      missing: probes.placement.missing,
      program: null,
      recorded,
      options: given,
      drivers: ["scsi"],
      requests: false,
      say,
    });
    const list = execFileSync("sh", ["-c", `zstd -dc ${given.output} | tar tf - | sort`], {
      encoding: "utf8",
    });
    expect(list).toBe(
      "packed/\npacked/kprobe-profile.txt\npacked/manifest.json\npacked/probes.txt\npacked/ringbuf-stats.txt\npacked/trace.txt\n",
    );
    expectNothingLeft(given.output);
  });

  test("has no name before it is whole", async () => {
    const given = options();
    const { bundle, release } = await record(given);
    expect(existsSync(given.output)).toBe(false);
    expect(existsSync(join(bundle.folder, "manifest.json"))).toBe(false);
    // Until then the state names what would be left.
    expect(readState(stateFolder(host))!.partial).toBe(`${given.output}.partial`);
    bundle.discard();
    release();
    expectNothingLeft(given.output);
  });

  test("ends by signal, by size, and before the disk is full", async () => {
    const stop = new AbortController();
    stop.abort();
    expect((await factsOf(options({ seconds: null }), stop.signal)).endedBy).toBe("signal");
    expect((await factsOf(options({ seconds: null, bytes: 60 }))).endedBy).toBe("size");
    let asked = 0;
    host.freeBytes = () => (asked++ === 0 ? 1 << 30 : 1 << 20);
    expect((await factsOf(options({ seconds: null }))).endedBy).toBe("disk nearly full");
  });

  test("counts what was lost", async () => {
    const mkdir = host.mkdir;
    host.mkdir = (path) => {
      mkdir(path);
      const lost = "entries: 0\noverrun: 40\ncommit overrun: 1\ndropped events: 1\n";
      writeFileSync(join(path, "per_cpu/cpu0/stats"), lost);
    };
    const { facts } = await record(options());
    expect(facts.loss.events).toBe(42);
  });

  test.each<[string, (instance: string) => void, string]>([
    ["tracing_on", (at) => writeFileSync(join(at, "tracing_on"), "0\n"), "tracing_on was set to 0"],
    [
      "one probe",
      (at) => writeFileSync(join(at, "events/vl/desc/enable"), "0\n"),
      "the probe desc was switched off",
    ],
    [
      "a probe's definition",
      (at) => rmSync(join(at, "events/vl/desc"), { recursive: true }),
      "the probe desc was removed",
    ],
    [
      "all kprobes",
      () => {
        execFileSync("mkdir", ["-p", join(host.root, "sys/kernel/debug/kprobes")]);
        writeFileSync(join(host.root, "sys/kernel/debug/kprobes/enabled"), "0\n");
      },
      "all kprobes were switched off",
    ],
  ])("that is switched off from outside, by %s, says what and when", async (_, act, what) => {
    const pause = host.pause;
    let turns = 0;
    host.pause = (milliseconds) => {
      if (turns++ === 3) act(join(host.tracing, "instances/vhost-replay"));
      return pause(milliseconds);
    };
    const given = options({ seconds: 0.2 });
    const recorded = await record(given);
    expect(recorded.facts.switchedOff?.what).toBe(what);
    expect(said.join("\n")).toContain(`the recording is not whole: ${what}, noticed at `);
    const io = fakeIo();
    const { missing } = probes.placement;
    const rest = { host, missing, program: null, recorded, options: given, requests: false, say };
    expect(await finishBundle(fakeApi(), io, { ...rest, drivers: ["scsi"] })).toBe(2);
    expect(io.stderr).toContain(`${what} while it recorded`);
  });

  test("without any event of a probe is status 3, with likely reasons", async () => {
    const mkdir = host.mkdir;
    host.mkdir = (path) => {
      mkdir(path);
      writeFileSync(join(path, "per_cpu/cpu0/stats"), "entries: 0\noverrun: 0\nread events: 0\n");
    };
    const given = options();
    const recorded = await record(given);
    const io = fakeIo();
    const { missing } = probes.placement;
    const rest = { host, missing, program: null, recorded, options: given, requests: false, say };
    expect(await finishBundle(fakeApi(), io, { ...rest, drivers: ["scsi"] })).toBe(3);
    expect(io.stderr).toMatch(/no vhost event was recorded: no device of vhost-scsi worked/);
  });

  test("of writes only sets the filter", async () => {
    const filters: string[] = [];
    const write = host.write;
    host.write = (path, text) => {
      if (path.endsWith("desc/filter")) filters.push(text);
      write(path, text);
    };
    await record(options({ writesOnly: true }));
    expect(filters).toEqual(["acc==2"]);
  });
});

/** Puts a file of the kernel there. */
function put(path: string, text: string): void {
  const file = join(host.root, path);
  mkdirSync(join(file, ".."), { recursive: true });
  writeFileSync(file, text);
}

describe("a refusal leaves nothing behind:", () => {
  const refused = async (given: RecordOptions, message: string | RegExp): Promise<void> => {
    await expect(record(given)).rejects.toThrow(message);
    expectNothingLeft(given.output);
    expect(existsSync(given.output)).toBe(false);
  };

  test("of a probe, with the kernel's own words", async () => {
    host.refuses = /vl\/desc/;
    await refused(
      options(),
      /the kernel refused a probe: p:vl\/desc .*Invalid probed address or symbol/,
    );
  });

  test.each<[string, () => void, RegExp]>([
    [
      "a function on the blacklist",
      () =>
        put(
          "sys/kernel/debug/kprobes/blacklist",
          "0xffffffff81000000-0xffffffff81000010\ttranslate_desc\n",
        ),
      /translate_desc is on this kernel's blacklist of probes/,
    ],
    [
      "a function of which the compiler made another",
      () => put("proc/kallsyms", "ffffffff81000000 t translate_desc.constprop.0\t[vhost]\n"),
      /the compiler made translate_desc\.constprop\.0 of translate_desc/,
    ],
    [
      "a function that is nowhere",
      () => put("proc/kallsyms", "ffffffff81000000 t vhost_add_used_n\t[vhost]\n"),
      /translate_desc is not in this kernel/,
    ],
    [
      "a container",
      () => void host.failing.set(/kprobe_events$/, "EACCES"),
      /in a container, or under a security module; record on the host itself/,
    ],
  ])("in %s, with the reason", async (_, make, message) => {
    make();
    host.refuses = /vl\/desc/;
    await refused(options(), message);
  });

  test("of an instance", async () => {
    host.failing.set(/instances\/vhost-replay$/, "EPERM");
    await refused(options(), "this kernel gives no trace instance (EPERM)");
  });

  test("of the clock", async () => {
    host.failing.set(/trace_clock$/, "EINVAL");
    await refused(options(), "this kernel has no trace clock mono (EINVAL)");
  });

  test("of the ring buffer", async () => {
    host.failing.set(/buffer_size_kb$/, "ENOMEM");
    await refused(options(), "no memory for a ring buffer of 1024 KiB for each CPU");
  });

  test("of the probes' start", async () => {
    host.failing.set(/instances\/vhost-replay\/events\/vl\/enable$/, "EIO");
    await refused(options(), "EIO");
  });

  test("by a disk that is full when it starts", async () => {
    host.free = 1 << 20;
    await refused(options(), /only 1 MiB free/);
  });

  test("by a disk that fills up while it records", async () => {
    host.failing.set(/tracing_on$/, "ENOSPC");
    await refused(options(), /^the disk is full; no recording was kept/);
  });

  test("of a process that is not there", async () => {
    await refused(options({ pid: 2 ** 30 }), `--pid: no process ${2 ** 30}`);
  });

  test("of a process without a vhost device", async () => {
    await refused(options({ pid: process.pid }), /has no vhost worker yet/);
  });

  test("of a QMP socket", async () => {
    await refused(options({ qemuSocket: "/nowhere" }), "--qemu-socket /nowhere: no such socket");
  });

  test("of a name that is taken", async () => {
    const given = options();
    writeFileSync(given.output, "");
    await expect(record(given)).rejects.toThrow("exists already");
    expect(readFileSync(given.output, "utf8")).toBe("");
  });
});

describe("the newer form that a kernel refuses", () => {
  test("gives way to registers, with a word to the user", async () => {
    host.refuses = /vl\/desc translate_desc /;
    const both: KernelProbes = {
      ...probes,
      forms: ["btf", "regs"],
      abilities: { names: true, entryInReturn: true },
    };
    const { facts } = await recordBundle(host, kernelSet(both), options(), never, say);
    expect(facts.form).toBe("regs");
    expect(said[0]).toMatch(/^the kernel refused form btf: p:vl\/desc translate_desc/);
  });
});

describe("what was cut off", () => {
  /** As after kill -9: probes, instance and state of a process that is no more. */
  async function cutOff(): Promise<string> {
    const tracefs = TraceFs.open(host, "kprobe");
    await tracefs.makeInstance(1024);
    await tracefs.define(["p:vl/desc vhost:translate_desc vq=%di:x64"], "kprobe");
    const partial = join(scratch, `cut-${count++}.partial`);
    writeFileSync(partial, "");
    writeState(stateFolder(host), {
      recorder: { pid: process.pid, started: "another" },
      child: null,
      partial,
      own: { instance: true, probes: ["desc"] },
      qemu: null,
    });
    return partial;
  }

  test("is removed by cleanup, which names the unfinished recording and leaves it", async () => {
    const partial = await cutOff();
    expect(await cleanUp(host, say)).toBe(true);
    expect(said).toEqual([
      "removed the trace instance",
      "removed 1 probes",
      `an unfinished recording stays in ${partial}`,
    ]);
    expect(existsSync(partial)).toBe(true);
    expectNothingLeft("/nowhere");
  });

  test("stays without any state: then nothing says that it is ours", async () => {
    await cutOff();
    removeState(stateFolder(host));
    expect(await cleanUp(host, say)).toBe(false);
    expect(said.join("\n")).toMatch(
      /vhost-replay is not of a recording[\s\S]*probes of group vl are not of/,
    );
    expect(TraceFs.open(host, "kprobe").hasInstance).toBe(true);
    expect(TraceFs.open(host, "kprobe").events).toEqual(["desc"]);
  });

  test("goes without a probe that somebody else put into the group", async () => {
    await cutOff();
    host.append(join(host.tracing, "kprobe_events"), "p:vl/foreign vhost:translate_desc\n");
    expect(await cleanUp(host, say)).toBe(false);
    expect(TraceFs.open(host, "kprobe").events).toEqual(["foreign"]);
    expect(said.join("\n")).toContain("and stay: foreign");
  });

  test("stops the next recording, which says how to go on", async () => {
    await cutOff();
    const given = options();
    await expect(record(given)).rejects.toThrow(/cut off.*vhost-replay record --cleanup/);
    removeState(stateFolder(host));
    await expect(record(given)).rejects.toThrow(/vhost-replay record --cleanup/);
    expect(existsSync(`${given.output}.partial`)).toBe(false);
    // What the other one has left is not ours to remove unasked.
    expect(TraceFs.open(host, "kprobe").hasInstance).toBe(true);
    expect(TraceFs.open(host, "kprobe").probes()).toHaveLength(1);
  });

  test("that something else uses stays, and is said to", async () => {
    await cutOff();
    host.busy = true;
    expect(await cleanUp(host, say)).toBe(false);
    expect(said.join("\n")).toMatch(/instance.* in use and stays[\s\S]*some probes are in use/);
    expect(existsSync(stateFolder(host))).toBe(true);
  });

  test("is nothing while the recorder runs", async () => {
    const own = { instance: false, probes: [] };
    writeState(stateFolder(host), { recorder: ownId(), child: null, partial: "", own, qemu: null });
    await expect(cleanUp(host, say)).rejects.toThrow(`process ${process.pid} is recording`);
    await expect(record(options())).rejects.toThrow("is recording already");
  });

  test("is nothing on a host without a recording", async () => {
    expect(await cleanUp(host, say)).toBe(true);
    expect(said).toEqual([]);
  });
});

describe("probes of the same name that are not ours", () => {
  test("are neither used nor removed", async () => {
    await TraceFs.open(host, "kprobe").define(
      ["p:vl/desc vhost:translate_desc vq=%di:x64"],
      "kprobe",
    );
    const given = options();
    await expect(record(given)).rejects.toThrow("probes of group vl are defined already");
    expect(TraceFs.open(host, "kprobe").probes()).toHaveLength(1);
    expect(existsSync(`${given.output}.partial`)).toBe(false);
  });
});

describe("the command line refuses in one line", () => {
  async function cli(...line: string[]) {
    const io = fakeIo();
    const api = fakeApi();
    const environment = { io: () => io, tool: () => api.tool, load: async () => api };
    const status = await runCommandLine(["record", ...line], environment);
    return { status, stderr: io.stderr };
  }
  test.each<[keyof RecordArguments, string[], string]>([
    ["for", ["--for", "soon"], "--for: seconds, not soon"],
    ["for", ["--for", "0"], "--for: seconds, not 0"],
    ["size", ["--size", "1T"], "--size: bytes, or with K, M, G, not 1T"],
    ["pid", ["--pid", "qemu"], "--pid: a process id, not qemu"],
    ["bufferSize", ["--buffer-size", "-1"], "--buffer-size: KiB, not -1"],
    ["recorder", ["--recorder", "perf"], "--recorder: trace-cmd or tracefs, not perf"],
    ["driver", ["--driver", "blk"], "--driver: scsi, net, vsock, not blk"],
  ])("a wrong %s", async (_, line, message) => {
    const { status, stderr } = await cli(...line);
    expect(status).toBe(2);
    expect(stderr).toBe(`vhost-replay: ${message}\n`);
  });
});
