import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { cksum } from "../../src/bytes/cksum.ts";
import { runCommandLine } from "../../src/commands/program.ts";
import { PROBES } from "../../src/core/probe-fields.ts";
import { kernelProbes, type ProbeRequest } from "../../src/node/record/kernel-probes.ts";
import { abilitiesOf, definition, type Form } from "../../src/probes/definition.ts";
import { type DriverName, RECIPE } from "../../src/probes/recipe.ts";
import { fakeApi, fakeIo } from "../support/report-fixture.ts";

const ROOT = join(import.meta.dirname, "../..");
const btfOf = (release: string): string => join(ROOT, "test/fixtures/btf", release);
const BOOKWORM = "6.1.0-50-amd64";
const TRIXIE = "6.12.117+deb13-amd64";
const BACKPORT = "6.16.12+deb13-amd64";
const SID = "7.2.13+deb14-amd64";

let scratch = "";
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "vhost-replay-"));
});
afterAll(() => rmSync(scratch, { recursive: true }));

function request(release: string, fields: Partial<ProbeRequest> = {}): ProbeRequest {
  return {
    btf: btfOf(release),
    kernel: release,
    architecture: null,
    form: null,
    drivers: ["scsi"],
    requests: false,
    ...fields,
  };
}

async function definitions(release: string, form: Form, drivers: DriverName[], requests = false) {
  const probes = await kernelProbes(request(release, { drivers, requests }));
  expect(probes.placement.missing).toEqual([]);
  return probes.placement.placed.map((probe) => definition(probe, form, probes.abilities));
}

/** A definition as the kernel lists it: without %return, and with its own number of calls. */
const listed = (line: string): string =>
  line.replace("%return", "").replace(/^r:/, "r10:").trimEnd();

async function cli(line: string[]) {
  const io = fakeIo();
  const api = fakeApi();
  const status = await runCommandLine(line, {
    io: () => io,
    tool: () => api.tool,
    load: async () => api,
  });
  return { status, stdout: io.stdout, stderr: io.stderr };
}

describe("the definitions are those of the recordings that were checked against the kernel's log:", () => {
  test.each<[string, Form, DriverName[], string]>([
    [BOOKWORM, "regs", ["scsi"], `traces/vhost-scsi/${BOOKWORM}/probes.txt`],
    [BACKPORT, "regs", ["scsi"], `traces/vhost-scsi/${BACKPORT}/probes.txt`],
    [SID, "regs", ["scsi"], `traces/vhost-scsi/${SID}/probes.txt`],
    [BACKPORT, "btf", ["scsi"], "traces/vhost-scsi-variants/6.16-btf/probes.txt"],
    [SID, "btf", ["scsi"], "traces/vhost-scsi-variants/7.2-btf/probes.txt"],
    [TRIXIE, "btf", ["scsi"], `test/fixtures/btf/${TRIXIE}/probes-btf.txt`],
    [TRIXIE, "regs", ["scsi"], `test/fixtures/btf/${TRIXIE}/probes-regs.txt`],
    [BOOKWORM, "regs", ["net", "vsock"], `traces/vhost-net/${BOOKWORM}/probes.txt`],
    [SID, "regs", ["net", "vsock"], `traces/vhost-net/${SID}/probes.txt`],
    [SID, "regs", ["net", "vsock"], `traces/vhost-vsock/${SID}/probes.txt`],
  ])("%s, form %s, %s", async (release, form, drivers, file) => {
    const recorded = readFileSync(join(ROOT, file), "utf8").trimEnd().split("\n");
    expect((await definitions(release, form, drivers)).map(listed)).toEqual(recorded);
  });
});

describe("on arm64", () => {
  const ARM = "6.12.117+deb13-arm64";

  test("the machine is known by the BTF, and the registers are those of its convention", async () => {
    const probes = await kernelProbes(request(ARM));
    expect(probes.architecture).toBe("arm64");
    // The same source on a machine with the same sizes: only the registers differ.
    const names = ["%x0", "%x1", "%x2", "%x3", "%x4", "%x5"];
    const x86 = ["%di", "%si", "%dx", "%cx", "%r8", "%r9"];
    const recorded = readFileSync(join(btfOf(TRIXIE), "probes-regs.txt"), "utf8");
    const expected = x86.reduce(
      (text, from, at) => text.replaceAll(from, names[at] ?? ""),
      recorded,
    );
    expect((await definitions(ARM, "regs", ["scsi"])).map(listed).join("\n")).toBe(
      expected.trimEnd(),
    );
  });

  test("the script asks for its machine", async () => {
    const { stdout } = await cli(["probes", "--script", "--btf", btfOf(ARM), "--kernel", ARM]);
    expect(stdout).toContain("made_for_machine='aarch64'");
  });
});

describe("a probe", () => {
  test("has the event name and the fields that the replay reads", () => {
    for (const { event, points, requests } of RECIPE) {
      if (requests) continue;
      const known = PROBES.find((probe) => probe.name === event);
      for (const { fields } of points.flat()) {
        const names = new Set(fields.map((field) => field.name));
        const needed = known?.fields.filter((field) => !field.optional).map((field) => field.name);
        for (const name of needed ?? [event]) expect(names, event).toContain(name);
      }
    }
  });

  test("of all drivers sees vhost-scsi in the form of the packet drivers", async () => {
    const lines = await definitions(SID, "btf", ["scsi", "net", "vsock"]);
    expect(lines.filter((line) => line.includes("/pop "))).toEqual([
      "r64:vl/pop vhost_get_vq_desc_n%return vq=vq head=$retval",
    ]);
    expect(lines.filter((line) => line.includes("/ioctl "))).toHaveLength(3);
    expect(lines.filter((line) => line.includes("/used "))).toHaveLength(1);
  });

  test("that names requests reads LUN and CDB where the target core gets them", async () => {
    const regs = await definitions(BOOKWORM, "regs", ["scsi"], true);
    expect(regs.at(-1)).toBe(
      "p:vl/cdb target_core_mod:target_submit_prep cmd=%di:x64 lun=+64(%di):u64 dlen=+52(%di):u32 c0=+0(%si):x64 c1=+8(%si):x64",
    );
    const named = await definitions(SID, "btf", ["scsi"], true);
    expect(named.at(-1)).toBe(
      "p:vl/cdb target_submit_prep cmd=se_cmd lun=se_cmd->orig_fe_lun dlen=se_cmd->data_length c0=+0(cdb):x64 c1=+8(cdb):x64",
    );
  });

  test("that has no place is named with what the verdict loses", async () => {
    const { btf, ...rest } = request(BOOKWORM, { drivers: ["scsi"] });
    const folder = join(scratch, "partial");
    execFileSync("cp", ["-r", `${btf}`, folder]);
    rmSync(join(folder, "vhost_iotlb"));
    const { placement } = await kernelProbes({ ...rest, btf: folder });
    expect(placement.missing).toEqual([
      {
        event: "mem",
        function: "vhost_iotlb_add_range",
        why: "module vhost_iotlb has no BTF here (not loaded?), nor is vhost_iotlb_add_range built in",
        without:
          "the guest's memory map is not known: `log` needs --log-size; the verdict does not need it",
      },
    ]);
    const { status, stderr, stdout } = await cli(["probes", "--btf", folder]);
    expect(status).toBe(0);
    expect(stderr).toMatch(/^without mem: the guest's memory map is not known/);
    expect(stdout).not.toContain("vl/mem");
  });
});

describe("the form", () => {
  test("is by names from 6.6 on, and entry arguments stand in a return probe from 6.9 on", () => {
    expect(abilitiesOf("6.1.0-50-amd64")).toEqual({ names: false, entryInReturn: false });
    expect(abilitiesOf("6.6.1")).toEqual({ names: true, entryInReturn: false });
    expect(abilitiesOf("6.9")).toEqual({ names: true, entryInReturn: true });
    expect(abilitiesOf("7.0.0-rc1")).toEqual({ names: true, entryInReturn: true });
    expect(abilitiesOf("10.1")).toEqual({ names: true, entryInReturn: true });
    expect(abilitiesOf("next")).toBe(null);
  });

  test("that the kernel takes comes first; without a version it is registers", async () => {
    expect((await kernelProbes(request(SID))).forms).toEqual(["btf", "regs"]);
    expect((await kernelProbes(request(BOOKWORM))).forms).toEqual(["regs"]);
    expect((await kernelProbes(request(SID, { kernel: null }))).forms).toEqual(["regs"]);
  });

  test("that it does not take is refused", async () => {
    const { status, stderr } = await cli([
      "probes",
      "--btf",
      btfOf(BOOKWORM),
      "--kernel",
      "6.1.1",
      "--form",
      "btf",
    ]);
    expect(status).toBe(2);
    expect(stderr).toBe(
      "vhost-replay: --form btf: the kernel looks names up since 6.6; use --form regs\n",
    );
  });
});

describe("what is asked for wrongly is one clear line:", () => {
  test.each([
    [["--btf", "/nowhere"], "/nowhere: expected a folder with BTF, found no such folder"],
    [["--btf", `${ROOT}/docs`], "expected vmlinux or vmlinuz with BTF, found neither"],
    [["--btf", btfOf(SID), "--driver", "scsi,tape"], "--driver: scsi, net, vsock, not tape"],
    [["--btf", btfOf(SID), "--driver", ""], "--driver: scsi, net, vsock, not nothing"],
    [["--btf", btfOf(SID), "--arch", "riscv"], "--arch: x86_64 or arm64, not riscv"],
    [["--btf", btfOf(SID), "--arch", "arm64"], "is one for x86_64"],
    [["--btf", btfOf(SID), "--kernel", "next"], "expected a kernel release such as"],
    [["--btf", btfOf(SID), "--form", "both"], "--form: btf or regs, not both"],
    [["--kernel", "1.2.3"], "for kernel 1.2.3 name the folder of its BTF with --btf"],
  ])("%s", async (args, message) => {
    const { status, stderr, stdout } = await cli(["probes", ...args]);
    expect(status).toBe(2);
    expect(stdout).toBe("");
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stderr).toContain(message);
  });

  test("the BTF of a module beside another kernel's vmlinux is refused, or found to differ", async () => {
    const folder = join(scratch, "mixed");
    execFileSync("cp", ["-r", btfOf(SID), folder]);
    execFileSync("cp", [join(btfOf(BOOKWORM), "vmlinux"), folder]);
    const { status, stderr } = await cli(["probes", "--btf", folder]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/vhost/);
  });
});

describe("record.sh", () => {
  async function script(release: string, ...options: string[]): Promise<string> {
    const { status, stdout } = await cli([
      "probes",
      "--script",
      "--btf",
      btfOf(release),
      "--kernel",
      release,
      ...options,
    ]);
    expect(status).toBe(0);
    return stdout;
  }

  test("is POSIX shell, and the same for the same input", async () => {
    const text = await script(SID, "--driver", "scsi,net,vsock", "--requests");
    expect(await script(SID, "--driver", "scsi,net,vsock", "--requests")).toBe(text);
    const file = join(scratch, "record.sh");
    writeFileSync(file, text);
    execFileSync("sh", ["-n", file]);
    const help = spawnSync("sh", [file, "--help"], { encoding: "utf8" });
    expect(help.status).toBe(0);
    expect(help.stdout).toContain("usage: record.sh COMMAND");
  });

  test.each([
    ["", "usage:"],
    ["nonsense", "usage:"],
    ["run", "run SECONDS: a number, not ''"],
    ["run ten", "run SECONDS: a number, not 'ten'"],
    ["start -b many", "-b: kilobytes, not 'many'"],
    ["start -p me", "-p: a process id, not 'me'"],
    ["start -f new", "-f: btf or regs, not 'new'"],
    ["start here", "unexpected: here"],
    ["mark", "mark: a text"],
  ])("refuses `%s`", async (line, message) => {
    const file = join(scratch, "refuse.sh");
    writeFileSync(file, await script(BOOKWORM));
    const words = line === "" ? [] : line.split(" ");
    const { status, stderr, stdout } = spawnSync("sh", [file, ...words], { encoding: "utf8" });
    expect(status).toBe(2);
    expect(stdout).toBe("");
    expect(stderr).toContain(message);
  });

  test("holds both forms where the kernel takes both, and one where it does not", async () => {
    const named = await script(SID);
    expect(named).toContain("forms='btf regs'");
    expect(named).toContain("p:vl/desc translate_desc vq=vq gpa=addr:x64");
    expect(named).toContain("p:vl/desc vhost:translate_desc vq=%di:x64 gpa=%si:x64");
    const raw = await script(BOOKWORM);
    expect(raw).toContain("forms='regs'");
    expect(raw).not.toContain("translate_desc vq=vq");
  });

  test("knows the build it was made for by the checksum that cksum prints", async () => {
    const text = await script(BOOKWORM);
    const blob = readFileSync(join(btfOf(BOOKWORM), "vhost"));
    const [crc, size] = execFileSync("cksum", { input: blob, encoding: "utf8" }).split(/\s+/);
    expect(text).toContain(`blobs='vhost ${crc} ${size}\n`);
    // POSIX: of no input.
    expect(cksum(new Uint8Array(0))).toBe(4294967295);
  });

  test("says for every event what is lost without it", async () => {
    const text = await script(SID, "--driver", "scsi,net,vsock", "--requests");
    for (const { event } of RECIPE) expect(text).toMatch(new RegExp(`^\\t${event}\\) echo '`, "m"));
  });
});
