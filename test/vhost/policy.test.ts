/** The table of policies: patches as switches, kernel versions, other vhosts. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MAX_ROWS } from "../../assembly/page-abi.ts";
import { UsageError } from "../../src/model/place.ts";
import { policyDetailJson } from "../../src/report/json/policies-json.ts";
import { policyDetailText } from "../../src/report/text/policy-detail.ts";
import { assumeLogging, causeMask, causesOf, NOT_WRITTEN, WINDOW } from "../../src/vhost/causes.ts";
import { KERNELS } from "../../src/vhost/kernels.ts";
import {
  ASSUMED_WINDOW,
  findPolicy,
  POLICIES,
  refusal,
  resolvePolicy,
} from "../../src/vhost/policy.ts";
import { patchChoices, patchList } from "../../src/vhost/series.ts";
import { versionRow } from "../../src/vhost/versions.ts";
import { kernelTable } from "../support/kernel-table.ts";

/** Causes of vhost-scsi alone, which a name logs. */
function scsi(name: string): string[] {
  return causesOf(findPolicy(name).logs).filter((cause) => /^(ring|notify|io|ctl|evt)/.test(cause));
}

const RING = ["ring-logged", "notify-logged"];
/** The ring's flag is the switch, and no end of the log is looked at. */
const UNCHECKED_RING = ["ring-flag", "ring-beyond"];
const UNCHECKED_IO = ["io-beyond", "io-refused"];
const causes = (...io: string[]): string[] => [
  ...[...RING, ...io, ...UNCHECKED_RING],
  ...(io.includes("io-logged") ? UNCHECKED_IO : []),
];
const ALL = causes("io-logged", "ctl-logged", "evt-logged");

describe("patches as switches", () => {
  test.each([
    ["series:none", causes()],
    ["series:1-3", causes()],
    ["series:1-6", causes()],
    ["series:4,5,6,7", causes("io-logged")],
    ["series:1-7", causes("io-logged")],
    ["series:1-8", causes("io-logged", "ctl-logged")],
    ["series:4,5,8", causes("ctl-logged")],
    ["series:4,9", causes("evt-logged")],
    ["series:1-9", ALL],
    ["series:1-10", ALL],
  ])("%s logs %j", (name, expected) => {
    expect(scsi(name)).toEqual(expected);
    expect(refusal(findPolicy(name))).toBeNull();
  });

  test.each(["series:7", "series:1-3,5-7", "series:8", "series:1-3,5-9", "series:9"])(
    "%s halts the host and has no numbers",
    (name) => {
      const told = refusal(findPolicy(name));
      expect(told).toContain("BUG()");
      expect(told).toContain("patch 4");
      expect(told).toContain(name);
    },
  );

  test.each([
    ["series:4,6,7", /patch 7 logs nothing/],
    ["series:4,5,7", /patch 7 logs nothing/],
    ["series:4,8", /patch 8 logs nothing/],
  ])("%s runs, logs the used ring only, and says why", (name, why) => {
    expect(scsi(name)).toEqual(causes());
    expect(findPolicy(name).note).toMatch(why);
    expect(refusal(findPolicy(name))).toBeNull();
  });

  test("C46 C47 C48 logging without patch 2 warns of bytes that belong to no descriptor", () => {
    expect(findPolicy("series:4-9").note).toMatch(/108 bytes .* never logged/);
    expect(findPolicy("series:1-9").note).toBeUndefined();
  });

  test("1 to 9 log what 6.16 logs, and nothing else does of the eight masks", () => {
    expect(findPolicy("series:1-9").logs).toBe(findPolicy("linux-6.16").logs);
    expect(new Set(patchChoices().map((p) => findPolicy(`series:${patchList(p)}`).logs)).size).toBe(
      8,
    );
  });

  test("no choice without patch 4 has 7, 8 or 9, and the fewest patches come first", () => {
    const choices = patchChoices();
    expect(choices[0]).toEqual([]);
    expect(choices).toHaveLength(1024 - 7 * 64);
    choices.forEach((patches, at) => {
      expect(patches.length).toBeGreaterThanOrEqual(choices[at - 1]?.length ?? 0);
      if (patches.some((n) => n >= 7 && n <= 9)) expect(patches).toContain(4);
    });
  });

  test("with 4 in, each added patch logs all that was logged before", () => {
    const patches = fc.subarray([1, 2, 3, 5, 6, 7, 8, 9, 10]);
    fc.assert(
      fc.property(patches, fc.constantFrom(5, 6, 7, 8, 9), (chosen, added) => {
        const before = findPolicy(`series:${[4, ...chosen].join()}`).logs;
        const after = findPolicy(`series:${[4, ...new Set([...chosen, added])].join()}`).logs;
        expect(before & ~after).toBe(0n);
      }),
    );
  });

  test.each([
    "series:",
    "series:0",
    "series:11",
    "series:3-1",
    "series:1,,2",
    "series:x",
    "series:1.5",
  ])("%s is refused with what is possible", (name) => {
    expect(() => findPolicy(name)).toThrow(UsageError);
    expect(() => findPolicy(name)).toThrow(/patches from 1 to 10/);
  });

  test("a list of a million patches is refused, not read", () => {
    expect(() => findPolicy(`series:${"1,".repeat(1e6)}1`)).toThrow(UsageError);
  });

  test("the same choice is the same row", () => {
    expect(findPolicy("series:1-4")).toBe(findPolicy("series:1-4"));
  });
});

describe("a kernel is one row:", () => {
  test("its releases and trees are no other row's, and it says what was read", () => {
    const claims = KERNELS.flatMap(({ mainline, trees }) => [
      ...(mainline ? [mainline.join(".")] : []),
      ...trees.map(([tree, from]) => `${tree}.${from}`),
    ]);
    expect(new Set(claims).size).toBe(claims.length);
    for (const { name, read, mainline, trees } of KERNELS) {
      expect(read.length, name).toBeGreaterThan(0);
      expect(mainline !== null || trees.length > 0, name).toBe(!name.startsWith("series-"));
    }
  });

  test("its name and what was measured resolve to it", () => {
    for (const { name, measured } of KERNELS) {
      expect(findPolicy(name).name).toBe(name);
      for (const version of measured) expect(findPolicy(`linux-${version}`).name).toBe(name);
    }
    expect(KERNELS.flatMap(({ measured }) => measured).length).toBeGreaterThan(5);
  });

  test("each release is found from its own rows alone", () => {
    for (const { name, mainline, trees } of KERNELS) {
      if (mainline) expect(versionRow(`linux-${mainline.join(".")}.0`)?.row).toBe(name);
      for (const [tree, from] of trees) {
        expect(versionRow(`linux-${tree}.${from}`)?.row).toBe(name);
        expect(versionRow(`linux-${tree}.${from - 1}`)?.row).not.toBe(name);
      }
    }
  });

  test("the table of docs/model.md is made of the rows", () => {
    const page = readFileSync(join(import.meta.dirname, "../../docs/model.md"), "utf8");
    expect(page).toContain(kernelTable());
  });
});

describe("kernel versions", () => {
  test.each([
    ["linux-6.1.100", "linux-6.1"],
    ["linux-6.1.145", "linux-6.1"],
    ["linux-6.1.146", "linux-6.1.146"],
    ["linux-6.1.150", "linux-6.1.146"],
    ["linux-6.1.188", "linux-6.1.146"],
    ["linux-6.1.189", "linux-6.1.189"],
    ["linux-6.1.190", "linux-6.1.189"],
    ["linux-5.10", "linux-6.1"],
    ["linux-5.10.239", "linux-6.1"],
    ["linux-5.10.240", "linux-6.1.146"],
    ["linux-5.15.189", "linux-6.1.146"],
    ["linux-5.4.300", "linux-6.1"],
    ["linux-6.6.92", "linux-6.6"],
    ["linux-6.6.93", "linux-6.6.93"],
    ["linux-6.12.25", "linux-6.12"],
    ["linux-6.12.26", "linux-6.12.26"],
    ["linux-6.12.31", "linux-6.12.31"],
    ["linux-6.12.107", "linux-6.12.31"],
    ["linux-6.12.110", "linux-6.12.31"],
    ["linux-6.12.111", "linux-6.12.111"],
    ["linux-6.12.117", "linux-6.12.111"],
    ["linux-6.13.5", "linux-6.12"],
    ["linux-6.14.9", "linux-6.12.31"],
    ["linux-6.15.3", "linux-6.15"],
    ["linux-6.16.12", "linux-6.16"],
    ["linux-6.17", "linux-6.16"],
    ["linux-6.18.44", "linux-6.18"],
    ["linux-6.18.45", "linux-7.1.9"],
    ["linux-7.0.1", "linux-6.18"],
    ["linux-7.1.8", "linux-6.18"],
    ["linux-7.1.9", "linux-7.1.9"],
    ["linux-7.2.13", "linux-7.2"],
    ["linux-7.3.4", "linux-7.3"],
    ["linux-7.9", "linux-7.3"],
    ["linux-12.0", "linux-7.3"],
  ])("%s is the row %s, and says why where it is not its own", (name, row) => {
    const { policy, reason } = resolvePolicy(name);
    expect(policy.name).toBe(row);
    if (name !== row) expect(reason).toMatch(new RegExp(`^${name} is ${row}: .{10,}`));
  });

  test("a kernel newer than any that was read is said to be", () => {
    expect(resolvePolicy("linux-8.0").reason).toMatch(/newer than any kernel that was read/);
  });

  test("a kernel without vhost-scsi is refused", () => {
    expect(() => findPolicy("linux-3.5")).toThrow(/came with Linux 3.6/);
  });

  test.each(["linux-6", "linux-6.1.0-50-amd64", "linux-x.y", "acme", "", "__proto__"])(
    "%j is unknown, and the error names what is known",
    (name) => {
      expect(() => findPolicy(name)).toThrow(/unknown policy .*linux-6.16.*series:LIST/);
    },
  );

  test("only from 6.16 on is a descriptor of vhost-scsi logged", () => {
    for (const name of ["linux-6.1", "linux-6.1.189", "linux-6.6", "linux-6.12.31", "linux-6.15"])
      expect(scsi(name)).toEqual(causes());
    for (const name of ["linux-6.16", "linux-7.1.9", "linux-7.2", "linux-7.3", "series-v2"])
      expect(scsi(name)).toEqual(ALL);
  });

  test("unpatched and patched mean 6.1 and 6.16", () => {
    expect(findPolicy("unpatched").name).toBe("linux-6.1");
    expect(findPolicy("patched").name).toBe("linux-6.16");
  });

  test("C24 from 7.2 on vhost-net logs a wrong range for an in-order ring", () => {
    const of = (name: string): string[] =>
      causesOf(findPolicy(name).logs).filter((cause) => /^(elem|range)/.test(cause));
    expect(of("linux-7.1.9")).toEqual(["elem-logged"]);
    expect(of("linux-7.2")).toEqual(["range-logged"]);
    expect(of("linux-7.3")).toEqual(["range-logged"]);
  });

  test("C62 C63 C64 C65 every kernel logs packets of vhost-net, none logs vhost-vsock or an overrun", () => {
    const kernels = POLICIES.filter((policy) => policy.series);
    expect(kernels.length).toBeGreaterThan(10);
    for (const { logs } of kernels) {
      expect(causesOf(logs).filter((cause) => /^(rx|vsock|stray)/.test(cause))).toEqual([
        ...["rx-logged", "rx-beyond"],
      ]);
    }
  });
});

describe("other vhosts", () => {
  const logs = (name: string, cause: string): boolean =>
    (findPolicy(name).logs & causeMask(cause)) !== 0n;

  test("C74 popped before LOG_ALL: not logged by a kernel, logged by SPDK", () => {
    expect(["linux-7.2", "series-v1", "spdk-split"].map((n) => logs(n, "io-late"))).toEqual([
      false,
      false,
      true,
    ]);
  });
  test("C77 entries freed by a toggle: not logged by 6.16 and v2, logged by v1 and SPDK", () => {
    expect(
      ["linux-6.16", "series-v2", "series-v1", "spdk-split"].map((name) => logs(name, "io-freed")),
    ).toEqual([false, false, true, true]);
  });
  test("C60 SPDK on a split ring logs descriptors, on a packed ring it does not", () => {
    expect(["spdk-split", "spdk-packed"].map((name) => logs(name, "io-logged"))).toEqual([
      true,
      false,
    ]);
  });
  test("no back end in user space logs flags and avail_event, QEMU and kernels do", () => {
    for (const name of ["spdk-split", "spdk-packed", "dpdk-net", "libvhost-user"])
      expect([name, logs(name, "notify-logged")]).toEqual([name, false]);
    for (const name of ["qemu-device", "vhost-net", "vhost-vsock", "linux-6.1"])
      expect([name, logs(name, "notify-logged")]).toEqual([name, true]);
  });
  test("C65 vhost-vsock never logs what it receives, the what-if of a fixed one does", () => {
    expect(["vhost-vsock", "vhost-vsock-fixed"].map((name) => logs(name, "vsock-logged"))).toEqual([
      false,
      true,
    ]);
  });
});

describe("the table", () => {
  test("has no name twice, fits one replay, and every row has evidence", () => {
    const names = POLICIES.flatMap((policy) => [policy.name, ...policy.aliases]);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(POLICIES.map((policy) => policy.logs)).size).toBeLessThanOrEqual(MAX_ROWS);
    expect(POLICIES.length).toBeLessThanOrEqual(MAX_ROWS);
    for (const policy of POLICIES) {
      expect(policy.evidence.length, policy.name).toBeGreaterThan(0);
      expect(policy.manner, policy.name).toBeDefined();
      expect(refusal(policy), policy.name).toBeNull();
    }
  });

  test("nobody logs without SET_LOG_BASE, while logging is off, or a packet given back", () => {
    for (const { name, logs } of POLICIES)
      expect(
        causesOf(logs).filter((cause) => /no-base|off$|^stray/.test(cause)),
        name,
      ).toEqual([]);
  });

  test("what is no write is in no window", () => {
    expect(WINDOW & NOT_WRITTEN).toBe(0n);
    expect(ASSUMED_WINDOW & NOT_WRITTEN).toBe(0n);
    expect(causesOf(WINDOW).filter((cause) => cause.endsWith("off"))).toEqual([]);
    expect(assumeLogging(findPolicy("linux-6.16").logs) & causeMask("io-late")).not.toBe(0n);
    expect(assumeLogging(findPolicy("linux-6.1").logs) & causeMask("io-off")).toBe(0n);
  });
});

describe("the details of a row", () => {
  test("a kernel has patches and switches, a back end has a manner and its classes of devices", () => {
    const v1 = policyDetailJson(findPolicy("series-v1"));
    expect(v1.patches).toEqual([1, 2, 4, 5, 6, 7, 8, 9]);
    expect(v1.switches).toMatchObject({ freeOnOff: false, buffers: "setup", flush: false });
    const spdk = policyDetailJson(findPolicy("spdk-split"));
    expect([spdk.patches, spdk.switches]).toEqual([null, null]);
    expect(spdk.drivers).toEqual(["vhost-user", "vhost-user-scsi", "vhost-user-blk"]);
    expect(spdk.manner).toMatchObject({ capture: "completion", notify: false });
  });
  test("6.1.189, 6.12.111, 7.2 and 7.3 wait in device ioctls, no other row does", () => {
    const waiting = POLICIES.filter((policy) => policy.series?.flush).map((policy) => policy.name);
    expect(waiting).toEqual(["linux-6.1.189", "linux-6.12.111", "linux-7.2", "linux-7.3"]);
  });
  test("a fatal choice says what would happen, in lines of 80 columns", () => {
    const lines = policyDetailText(findPolicy("series:7-9"));
    expect(lines.join(" ")).toMatch(/no numbers: .*BUG\(\)/);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
  });
});
