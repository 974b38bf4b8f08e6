/** Nothing that comes from outside can be more than a word of a shell, a tracefs file, QMP or a path. */
import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { UsageError } from "../../src/model/place.ts";
import { configLines } from "../../src/node/record/kernel-facts.ts";
import { kernelProbes } from "../../src/node/record/kernel-probes.ts";
import { readState } from "../../src/node/record/record-state.ts";
import { definition } from "../../src/probes/definition.ts";
import { checked, OUTSIDE_KINDS, oneLine } from "../../src/probes/outside-value.ts";
import { renderScript, type ScriptInput } from "../../src/probes/script.ts";

const KERNEL = "6.16.12+deb13-amd64";
const CLI = join(import.meta.dirname, "../../dist/cli/cli.js");
const BTF = join(import.meta.dirname, "../fixtures/btf", KERNEL);
const scratch = mkdtempSync(join(tmpdir(), "vhost-replay-outside-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** What would be more than a value: another line, another word, an expansion, a path, an option. */
const HOSTILE = [
  "",
  "6.12.1\ntouch PWNED\n#",
  "6.12.1\r",
  "6.12.1\u2028",
  "6.12.1; touch PWNED",
  "6.12.1$(touch PWNED)",
  "6.12.1`touch PWNED`",
  "6.12.1'",
  "6.12.1\u0000",
  "6.12.1/../../etc",
  "../6.12.1",
  "-f",
  "EOF",
  `6.12.${"1".repeat(2000)}`,
];
/** Harmless for that kind: a word, or free text of one line. */
const ALLOWED: Record<string, readonly string[]> = {
  machine: ["EOF"],
  function: ["EOF"],
  module: ["EOF"],
  event: ["EOF"],
  "name of BTF": ["EOF"],
  "name of a field": ["EOF"],
  "fetch argument": ["-f", "EOF"],
  "tool and version": ["-f", "EOF", "6.12.1/../../etc", "../6.12.1"],
  "line of text": HOSTILE.filter((text) => !/[\n\r\0\u2028]|1{2000}/.test(text)),
};

describe("a value from outside", () => {
  test.each(OUTSIDE_KINDS)("is refused as a %s when it is more than that", (kind) => {
    for (const text of HOSTILE) {
      if (ALLOWED[kind]?.includes(text)) expect(checked(kind, text)).toBe(text);
      else expect(() => checked(kind, text), JSON.stringify(text)).toThrow(UsageError);
    }
  });

  test("may be what kernels and QEMU call their things", () => {
    for (const release of ["6.1.0-50-amd64", "7.2.13+deb14-amd64", "6.8.0-1021.23~22.04.1-azure"]) {
      expect(checked("kernel release", release)).toBe(release);
    }
    expect(checked("function", "translate_desc.isra.0")).toBe("translate_desc.isra.0");
    expect(checked("fetch argument", "a0=+u0($arg3):x64")).toBe("a0=+u0($arg3):x64");
  });

  test("as text for people is one line", () => {
    expect(oneLine('why\n"; rm\u2028x\u0007')).toBe('why "; rm x ');
  });
});

async function input(): Promise<ScriptInput> {
  const probes = await kernelProbes({
    btf: BTF,
    kernel: KERNEL,
    architecture: null,
    form: null,
    drivers: ["scsi"],
    requests: true,
  });
  return {
    ...probes,
    drivers: ["scsi"],
    requests: true,
    machine: "x86_64",
    tool: "vhost-replay 1",
  };
}

describe("the script that root runs", () => {
  test("takes none of its values unchecked", async () => {
    const good = await input();
    const [placed] = good.placement.placed;
    const bad = "x\ntouch PWNED\n#";
    const withProbe = (probe: object): ScriptInput => ({
      ...good,
      placement: { ...good.placement, placed: [{ ...placed!, ...probe }] },
    });
    const field = placed!.fields[0]!;
    const hostile: ScriptInput[] = [
      { ...good, release: bad },
      { ...good, machine: bad },
      { ...good, tool: bad },
      { ...good, fingerprints: [{ name: bad, cksum: 1, size: 1 }] },
      withProbe({ function: bad }),
      withProbe({ module: bad }),
      withProbe({ probe: { ...placed!.probe, event: bad } }),
      withProbe({ fields: [{ ...field, field: { ...field.field, name: bad } }] }),
      withProbe({ fields: [{ ...field, register: bad }] }),
      {
        ...good,
        placement: {
          ...good.placement,
          missing: [{ event: bad, function: "f", why: "", without: "" }],
        },
      },
    ];
    for (const each of hostile) expect(() => renderScript(each)).toThrow(UsageError);
    expect(() => definition({ ...placed!, function: bad }, "regs", good.abilities)).toThrow(
      UsageError,
    );
  });

  test("runs nothing that a reason of a missing probe says", async () => {
    const good = await input();
    const why = "it's\n`touch PWNED`; $(touch PWNED)\nEOF\ntouch PWNED";
    const text = renderScript({
      ...good,
      placement: {
        ...good.placement,
        missing: [{ event: "used", function: "f", why, without: "" }],
      },
    });
    const file = join(scratch, "why.sh");
    writeFileSync(file, text);
    execFileSync("sh", ["-n", file]);
    const { status } = spawnSync("sh", [file, "--help"], { cwd: scratch });
    expect(status).toBe(0);
    expect(existsSync(join(scratch, "PWNED"))).toBe(false);
  });

  test.each([
    ["--kernel", ".", "6.12.1\ntouch PWNED\n#"],
    ["the name of a folder", "modules/6.12.1\ntouch PWNED\n#", null],
  ])("is not made for a release in %s with more in it", async (_, name, kernel) => {
    const root = mkdtempSync(join(scratch, "btf-"));
    const folder = join(root, name);
    mkdirSync(folder, { recursive: true });
    for (const module of ["vhost", "vhost_scsi", "vhost_iotlb"]) {
      symlinkSync(join(BTF, module), join(folder, module));
    }
    copyFileSync(join(BTF, "vmlinux"), join(folder, "vmlinux"));
    await expect(
      kernelProbes({
        btf: root,
        kernel,
        architecture: null,
        form: null,
        drivers: ["scsi"],
        requests: false,
      }),
    ).rejects.toThrow("expected a kernel release such as");
  });
});

test("no script is made for a release that is more than one, without a folder of BTF either", () => {
  const folder = mkdtempSync(join(scratch, "no-btf-"));
  for (const kernel of HOSTILE.filter((text) => text !== "" && !text.includes("\0"))) {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [CLI, "probes", "--script", `--kernel=${kernel}`],
      { cwd: folder, encoding: "utf8" },
    );
    expect({ kernel, status, stdout }).toEqual({ kernel, status: 2, stdout: "" });
    // Not for lack of a driver on the host of this test.
    expect(stderr, kernel).toContain("name the folder of its BTF with --btf");
    // The message is one line, whatever is in the value.
    expect(stderr.trimEnd().split(/[\n\r\u2028]/), kernel).toHaveLength(1);
  }
});

describe("other doors", () => {
  test("a release is no path to another file", () => {
    expect(() => configLines("6.1/../../../../etc/passwd")).toThrow(UsageError);
  });

  test.each([
    [
      "a number that is everybody",
      '{"recorder":{"pid":0,"started":""},"child":null,"partial":"","own":{"instance":true,"probes":[]},"qemu":null}',
    ],
    [
      "a negative one",
      '{"recorder":{"pid":7,"started":""},"child":{"pid":-1,"started":""},"partial":"","own":{"instance":true,"probes":[]},"qemu":null}',
    ],
    [
      "a probe that is none",
      '{"recorder":{"pid":7,"started":""},"child":null,"partial":"","own":{"instance":true,"probes":["x -:y"]},"qemu":null}',
    ],
    ["no state at all", "[]"],
    ["nothing", "null"],
    [
      "an event that is none",
      '{"recorder":{"pid":7,"started":""},"child":null,"partial":"","own":{"instance":true,"probes":[]},"qemu":{"socket":"s","events":["*"]}}',
    ],
  ])("a state file with %s is refused", (_, text) => {
    const folder = mkdtempSync(join(scratch, "state-"));
    const { own = { probes: [] }, ...recorder } = JSON.parse(text) ?? {};
    writeFileSync(
      join(folder, "recorder.json"),
      Array.isArray(recorder) ? text : JSON.stringify(recorder),
    );
    writeFileSync(join(folder, "own.probes"), own.probes.join("\n"));
    expect(() => readState(folder)).toThrow(UsageError);
  });
});
