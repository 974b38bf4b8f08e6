/**
 * From what `uname` says of a host to the row of its kernel. A third number that counts upstream's
 * stable releases names the row; where a distribution keeps the base and takes changes by itself, the
 * row of the base is the nearest one, and said to be no more than that.
 */
import { UsageError } from "../model/place.ts";
import { KERNELS } from "./kernels.ts";
import { POLICIES, type Policy } from "./policy.ts";
import { LOGGING_PATCHES } from "./series.ts";
import { versionRow } from "./versions.ts";

/** The row of a release. */
export interface ReleaseRow {
  policy: Policy;
  /** The release, or the version of upstream where it is told beside it. */
  version: string;
  /** The distribution, where the release names one. */
  vendor: string | null;
  /** false: the distribution may have changes that the row does not know of. */
  sure: boolean;
  /** One sentence. */
  reason: string;
}

interface Vendor {
  name: string;
  release: RegExp;
  /** Its third number is not upstream's: changes come without it. */
  frozen: boolean;
}

/** By the form of `uname -r`, in this order. */
const VENDORS: readonly Vendor[] = [
  { name: "Oracle UEK", release: /uek/, frozen: true },
  { name: "Red Hat", release: /\.el\d+/, frozen: true },
  { name: "Amazon Linux", release: /\.amzn\d/, frozen: false },
  { name: "Fedora", release: /\.fc\d+/, frozen: false },
  { name: "openEuler", release: /\.oe\d{4}/, frozen: true },
  { name: "Alibaba Cloud Linux", release: /\.al[78](?:\.|$)/, frozen: true },
  { name: "Anolis OS", release: /\.an[78](?:\.|$)/, frozen: true },
  {
    name: "SUSE",
    release: /^\d+\.\d+\.\d+-(?:\d{5,6}\.|\d+(?:\.\d+)?-rt$)|-default$/,
    frozen: true,
  },
  {
    name: "Debian",
    release:
      /\+(?:deb\d+|bpo)|^\d+\.\d+\.0-(?:0\.deb\d+\.)?\d+-(?:amd64|arm64|armmp|686|s390x|powerpc64le|riscv64|cloud-|rt-)/,
    frozen: false,
  },
  // Flavours are many; the number of the ABI has two digits and more, but in the first weeks of a release.
  {
    name: "Ubuntu",
    release:
      /-(?:generic|lowlatency|aws|azure|gcp|oracle|kvm|virtual)\b|^\d+\.\d+\.0-\d{2,4}-[a-z][a-z0-9-]*$/,
    frozen: true,
  },
  { name: "Proxmox", release: /-pve$/, frozen: true },
];

/** Debian's ABI name (6.1.0-50-amd64) hides the version, which `uname -v` has. */
const DEBIAN_VERSION = /Debian (\d+\.\d+\.\d+)-/;

/**
 * The row of `uname -r` (`6.1.0-50-amd64`, `5.14.0-427.13.1.el9_4.x86_64`, `6.12.40`) or `uname -a`.
 * Null for a text that names no version of Linux. Throws UsageError for a kernel without vhost-scsi.
 */
export function releaseRow(text: string): ReleaseRow | null {
  const release = /^Linux \S+ (\S+) #/.exec(text)?.[1] ?? text.trim();
  const match = /^(\d{1,3})\.(\d{1,3})(?:\.(\d{1,4}))?(?:-rc\d+)?(?:[-+._~].{0,150}|$)/.exec(
    release,
  );
  if (!match) return null;
  const told = DEBIAN_VERSION.exec(text)?.[1];
  const vendor = vendorOf(release);
  const hidden = vendor?.name === "Debian" && match[3] === "0" && !release.includes("+deb");
  const frozen = vendor?.frozen === true;
  const third = frozen || hidden ? undefined : match[3];
  const version = told ?? `${match[1]}.${match[2]}${third === undefined ? "" : `.${third}`}`;
  const row = versionRow(`linux-${version}`);
  const policy = POLICIES.find(({ name }) => name === row?.row);
  if (!row || !policy) throw new UsageError(`${release}: no kernel that is known`);
  const name = vendor?.name ?? null;
  if (frozen) {
    return {
      ...{ policy, version, vendor: name, sure: false },
      reason: `${name} takes changes into ${version} by itself, ${unknownOf(policy)}; ${policy.name} is the nearest row`,
    };
  }
  if (hidden && told === undefined) {
    return {
      ...{ policy, version, vendor: name, sure: false },
      reason: `${release} does not say which ${version} it is (uname -v does); ${policy.name} is the nearest row`,
    };
  }
  return { policy, version, vendor: name, sure: true, reason: row.reason };
}

/** What is not known of a vendor's tree, whose base has this row. */
function unknownOf(policy: Policy): string {
  const patches = KERNELS.find(({ name }) => name === policy.name)?.series.patches ?? [];
  return LOGGING_PATCHES.every((patch) => patches.includes(patch))
    ? "and which is not known beyond the patches of that release"
    : "and whether patches 4 to 9, which log what the device writes, are in its tree is not known";
}

function vendorOf(release: string): Vendor | undefined {
  return VENDORS.find((vendor) => vendor.release.test(release));
}
