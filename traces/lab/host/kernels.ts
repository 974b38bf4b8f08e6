/** The kernels that the lab boots: Debian's own, unpacked into a cache. */
import { existsSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { LabError } from "./command.ts";
import { Suite } from "./packages.ts";
import { IMAGES } from "./paths.ts";

interface Choice {
  /** As `--kernel` names it. */
  name: string;
  suite: string;
  /** Package names; the first group is the version by which the newest is chosen. */
  packages: RegExp;
}

const CHOICES: readonly Choice[] = [
  { name: "6.1", suite: "bookworm", packages: /^linux-image-(6\.1\.\d+-\d+)-amd64$/ },
  { name: "6.12", suite: "trixie", packages: /^linux-image-(6\.12\.\d+\+deb\d+)-amd64$/ },
  {
    name: "6.16",
    suite: "trixie-backports",
    packages: /^linux-image-(6\.16\.\d+\+deb\d+)-amd64$/,
  },
  {
    // Newer packages are split: the image itself, and its modules.
    name: "7.2",
    suite: "sid",
    packages: /^linux-(?:binary|modules)-(7\.\d+\.\d+\+deb\d+)-amd64$/,
  },
];

export const KERNEL_NAMES = CHOICES.map(({ name }) => name);
/** One on either side of the series. */
export const QUICK_KERNELS = ["6.1", "6.16"];

/** One unpacked kernel. */
export interface Kernel {
  name: string;
  /** As `uname -r` prints it. */
  release: string;
  folder: string;
  vmlinuz: string;
  modules: string;
}

/** The unpacked kernel of this name, or null when it is not in the cache. */
function unpacked(name: string): Kernel | null {
  const folder = join(IMAGES, `img${name}`);
  for (const usr of ["", "usr"]) {
    const all = join(folder, usr, "lib", "modules");
    const release = existsSync(all) ? readdirSync(all)[0] : undefined;
    if (release === undefined) continue;
    const modules = join(all, release);
    const vmlinuz = [join(folder, "boot", `vmlinuz-${release}`), join(modules, "vmlinuz")].find(
      (file) => existsSync(file),
    );
    if (vmlinuz) return { name, release, folder, vmlinuz, modules };
  }
  return null;
}

/** Finds a kernel in the cache, or fetches the newest that matches. Throws LabError. */
export function kernelNamed(name: string): Kernel {
  const found = unpacked(name);
  if (found) return found;
  const choice = CHOICES.find((one) => one.name === name);
  if (!choice) throw new LabError(`no kernel ${name}; there are ${KERNEL_NAMES.join(", ")}`);
  console.error(`lab: fetching kernel ${name} from ${choice.suite}`);
  const suite = new Suite(choice.suite);
  const packages = suite.newest(choice.packages);
  if (packages.length === 0) {
    throw new LabError(`no package in ${choice.suite} matches ${choice.packages.source}`);
  }
  // Unpacked beside its place first, so that a cut-off download leaves no half kernel.
  const folder = join(IMAGES, `img${name}`);
  rmSync(`${folder}.part`, { recursive: true, force: true });
  suite.unpack(packages, `${folder}.part`);
  rmSync(folder, { recursive: true, force: true });
  renameSync(`${folder}.part`, folder);
  const fresh = unpacked(name);
  if (!fresh) throw new LabError(`${packages.join(" and ")} hold no kernel and modules`);
  return fresh;
}

/** 6.12 of `6.12.117+deb13-amd64`, as major * 1000 + minor. */
export function versionNumber(release: string): number {
  const version = /^(\d+)\.(\d+)/.exec(release);
  if (!version) throw new LabError(`no version in the release ${release}`);
  return Number(version[1]) * 1000 + Number(version[2]);
}

/** Forms of the probes that a kernel takes: member names since 6.6. */
export function formsOf(one: Kernel): ("regs" | "btf")[] {
  return versionNumber(one.release) >= 6006 ? ["regs", "btf"] : ["regs"];
}
