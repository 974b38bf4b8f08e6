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
    // Real-time, cloud, HWE and other flavours.
    ["4.18.0-193.28.1.rt13.77.el8_2.x86_64", "linux-6.1", "Red Hat", false],
    ["5.14.0-427.13.1.el9_4.aarch64+64k", "linux-6.1", "Red Hat", false],
    ["5.14.0-570.12.1.el9_6.x86_64+rt", "linux-6.1", "Red Hat", false],
    ["6.12.0-55.9.1.el10_0.x86_64", "linux-6.12", "Red Hat", false],
    ["6.11.0-17-generic", "linux-6.6", "Ubuntu", false],
    ["6.14.0-15-generic", "linux-6.12", "Ubuntu", false],
    ["6.17.0-5-generic", "linux-6.16", "Ubuntu", false],
    ["6.8.0-51-lowlatency", "linux-6.6", "Ubuntu", false],
    ["6.8.0-1018-nvidia-64k", "linux-6.6", "Ubuntu", false],
    ["5.15.0-1032-realtime", "linux-6.1", "Ubuntu", false],
    ["5.15.0-1071-azure-fips", "linux-6.1", "Ubuntu", false],
    ["5.14.21-150500.55.68-default", "linux-6.1", "SUSE", false],
    ["5.14.21-150500.33.48-azure", "linux-6.1", "SUSE", false],
    ["6.4.0-150600.8.14-azure", "linux-6.1", "SUSE", false],
    ["6.4.0-10-rt", "linux-6.1", "SUSE", false],
    ["6.12.0-160000.5-default", "linux-6.12", "SUSE", false],
    ["4.12.14-122.219-default", "linux-6.1", "SUSE", false],
    ["5.4.17-2136.338.4.2.el8uek.x86_64", "linux-6.1", "Oracle UEK", false],
    ["6.12.0-0.20.20.el9uek.x86_64", "linux-6.12", "Oracle UEK", false],
    ["5.10.230-223.885.amzn2.x86_64", "linux-6.1", "Amazon Linux", true],
    ["5.10.240-238.959.amzn2.x86_64", "linux-6.1.146", "Amazon Linux", true],
    ["6.12.40-63.114.amzn2023.x86_64", "linux-6.12.31", "Amazon Linux", true],
    ["6.1.0-28-cloud-amd64", "linux-6.1", "Debian", false],
    ["6.1.0-28-rt-amd64", "linux-6.1", "Debian", false],
    ["6.1.0-28-686-pae", "linux-6.1", "Debian", false],
    ["6.1.0-28-powerpc64le", "linux-6.1", "Debian", false],
    ["6.1.0-0.deb11.21-amd64", "linux-6.1", "Debian", false],
    ["6.12.38+deb13-cloud-amd64", "linux-6.12.31", "Debian", true],
    ["6.12.38+deb13-rt-amd64", "linux-6.12.31", "Debian", true],
    ["6.12.9+bpo-cloud-amd64", "linux-6.12", "Debian", true],
    ["6.14.8-2-bpo12-pve", "linux-6.12", "Proxmox", false],
    ["5.10.0-216.0.0.115.oe2203sp4.x86_64", "linux-6.1", "openEuler", false],
    ["6.6.0-72.0.0.76.oe2403.x86_64", "linux-6.6", "openEuler", false],
    ["5.10.134-16.3.al8.x86_64", "linux-6.1", "Alibaba Cloud Linux", false],
    ["5.10.134-17.3.an8.x86_64", "linux-6.1", "Anolis OS", false],
    // No vendor that is known: the third number is taken as upstream's.
    ["6.17.0-1-cachyos", "linux-6.16", null, true],
    ["6.6.74-1-lts", "linux-6.6", null, true],
    ["5.15.167.4-microsoft-standard-WSL2", "linux-6.1", null, true],
  ])("%s is %s", (release, row, vendor, sure) => {
    const found = releaseRow(release)!;
    expect([found.policy.name, found.vendor, found.sure]).toEqual([row, vendor, sure]);
    expect(found.reason.includes("nearest row")).toBe(!sure);
  });

  test.each(["5.14.0-427.13.1.el9_4.x86_64", "6.14.0-15-generic", "5.4.17-2136.el8uek.x86_64"])(
    "of %s it is said that its vendor backports and what is not known",
    (release) => {
      expect(releaseRow(release)!.reason).toMatch(
        /takes changes into [\d.]+ by itself, and whether patches 4 to 9, .*is not known; linux-.* is the nearest row$/,
      );
    },
  );

  test("of a base that has the patches no doubt is raised about them", () => {
    const { reason } = releaseRow("6.17.0-5-generic")!;
    expect(reason).toContain("Ubuntu takes changes into 6.17 by itself");
    expect(reason).not.toContain("patches 4 to 9");
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
