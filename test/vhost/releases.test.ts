/** Which row a host's `uname` means. */
import { describe, expect, test } from "vitest";
import { releaseRow } from "../../src/vhost/releases.ts";

describe("uname -r", () => {
  test.each([
    // Upstream and distributions that keep upstream's third number.
    ["6.1.176", "linux-6.1.146", null, true],
    ["6.12.7-arch1-1", "linux-6.12", null, true],
    ["6.16.12+deb13-amd64", "linux-6.16", "Debian", true],
    ["6.9.3-200.fc40.x86_64", "linux-6.6", "Fedora", true],
    ["6.1.140-154.222.amzn2023.x86_64", "linux-6.1", "Amazon Linux", true],
    // Those that keep the base.
    ["6.1.0-50-amd64", "linux-6.1", "Debian", false],
    ["5.14.0-427.13.1.el9_4.x86_64", "linux-6.1", "Red Hat", false],
    ["4.18.0-553.el8_10.x86_64", "linux-6.1", "Red Hat", false],
    ["6.8.0-45-generic", "linux-6.6", "Ubuntu", false],
    ["5.15.0-1064-aws", "linux-6.1", "Ubuntu", false],
    ["6.4.0-150600.23.17-default", "linux-6.1", "SUSE", false],
    ["5.15.0-200.131.27.el8uek.x86_64", "linux-6.1", "Oracle UEK", false],
    ["6.8.12-4-pve", "linux-6.6", "Proxmox", false],
  ])("%s is %s", (release, row, vendor, sure) => {
    const found = releaseRow(release)!;
    expect([found.policy.name, found.vendor, found.sure]).toEqual([row, vendor, sure]);
    expect(found.reason.includes("nearest row")).toBe(!sure);
  });

  test("uname -a of Debian has the version that its release hides", () => {
    const found = releaseRow(
      "Linux (none) 6.1.0-50-amd64 #1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02) x86_64 GNU/Linux",
    )!;
    expect([found.policy.name, found.version, found.sure]).toEqual([
      "linux-6.1.146",
      "6.1.176",
      true,
    ]);
  });

  test.each(["", "patched", "Darwin 23.1.0", "GNU", "x.y"])("%j names no kernel", (text) => {
    expect(releaseRow(text)).toBeNull();
  });
});
