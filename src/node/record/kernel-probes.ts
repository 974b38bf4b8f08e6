/** The probes of this host's kernel, or of another one whose BTF lies in a folder. */
import { existsSync } from "node:fs";
import { release } from "node:os";
import { cksum } from "../../bytes/cksum.ts";
import { RecordingError, UsageError } from "../../model/place.ts";
import type { Btf } from "../../probes/btf/btf.ts";
import {
  ARCHITECTURES,
  type Architecture,
  architectureOf,
} from "../../probes/btf/calling-convention.ts";
import { type Abilities, abilitiesOf, type Form } from "../../probes/definition.ts";
import { checked } from "../../probes/outside-value.ts";
import { DRIVER_MODULES, type DriverName, MODULES, probesFor } from "../../probes/recipe.ts";
import { type Placement, placeProbes } from "../../probes/resolve.ts";
import type { Fingerprint } from "../../probes/script.ts";
import { readKernelBtf } from "./btf-files.ts";

/** Where a running kernel shows its BTF. */
export const HOST_BTF = "/sys/kernel/btf";

export interface ProbeRequest {
  /** A folder with BTF; null for this host. */
  btf: string | null;
  /** A kernel release; null for the one that the folder names, or that runs here. */
  kernel: string | null;
  /** Null for the one that the BTF tells. */
  architecture: Architecture | null;
  /** Null for the best that the kernel takes. */
  form: Form | null;
  drivers: readonly DriverName[];
  requests: boolean;
}

export interface KernelProbes {
  placement: Placement;
  /** The form that was asked for; or what the kernel takes, the best first. */
  forms: Form[];
  abilities: Abilities;
  architecture: Architecture;
  /** Null when nothing names it. */
  release: string | null;
  fingerprints: Fingerprint[];
  /** Modules of the recipe whose BTF was found. */
  modules: string[];
}

/** `uname -m` of an architecture. */
export const MACHINES: Record<Architecture, string> = { x86_64: "x86_64", arm64: "aarch64" };

/** Throws RecordingError and UsageError. */
export async function kernelProbes(request: ProbeRequest): Promise<KernelProbes> {
  const ofHost = request.btf === null;
  if (ofHost && request.kernel !== null && request.kernel !== release()) {
    throw new UsageError(
      `this host runs ${release()}: for kernel ${request.kernel} name the folder of its BTF with --btf`,
    );
  }
  const kernel = await readKernelBtf(
    request.btf ?? HOST_BTF,
    MODULES,
    ofHost ? null : request.kernel,
  ).catch((error) => {
    if (ofHost && error instanceof RecordingError) {
      throw new RecordingError(
        { file: HOST_BTF, at: "" },
        "the BTF of this kernel (CONFIG_DEBUG_INFO_BTF), or --btf with that of its build",
        error.found ?? error.message,
      );
    }
    throw error;
  });
  const architecture = architectureFor(request.architecture, kernel.vmlinux);
  const named = request.kernel ?? (ofHost ? release() : kernel.version);
  const known = named === null ? null : checked("kernel release", named);
  const abilities = known === null ? null : abilitiesOf(known);
  const placement = placeProbes(probesFor(request.drivers, request.requests), kernel, architecture);
  if (ofHost && !placement.placed.some(({ probe }) => probe.event === "ioctl")) {
    throw new UsageError(noDriver(request.drivers));
  }
  return {
    placement,
    forms: formsOf(request.form, abilities),
    abilities: abilities ?? { names: false, entryInReturn: false },
    architecture,
    release: known,
    fingerprints: ["vhost", "vmlinux"].flatMap((name) => {
      const bytes = kernel.blobs.get(name);
      return bytes ? [{ name, cksum: cksum(bytes), size: bytes.length }] : [];
    }),
    modules: [...kernel.modules.keys()],
  };
}

/** Why no driver that was asked for can be probed on this host. */
function noDriver(drivers: readonly DriverName[]): string {
  const names = drivers.map((driver) => DRIVER_MODULES[driver]);
  const loaded = names.find((name) => existsSync(`/sys/module/${name}`));
  if (loaded !== undefined) {
    return `module ${loaded} is loaded, but has no BTF here (CONFIG_DEBUG_INFO_BTF_MODULES); give that of its build with --btf`;
  }
  return `module ${names.join(" or ")} is not loaded; load it first: modprobe ${names[0]}`;
}

function formsOf(form: Form | null, abilities: Abilities | null): Form[] {
  if (form === "btf" && abilities !== null && !abilities.names) {
    throw new UsageError("--form btf: the kernel looks names up since 6.6; use --form regs");
  }
  if (form !== null) return [form];
  return abilities?.names ? ["btf", "regs"] : ["regs"];
}

/** Registers of one machine with offsets of another would be wrong without a word. */
function architectureFor(asked: Architecture | null, vmlinux: Btf): Architecture {
  const own = architectureOf(vmlinux);
  if (asked !== null && own !== null && asked !== own) {
    throw new UsageError(`--arch ${asked}: the kernel of ${vmlinux.name} is one for ${own}`);
  }
  const architecture = own ?? asked;
  if (architecture) return architecture;
  throw new UsageError(
    `${vmlinux.name} does not tell its machine; name it with --arch ${ARCHITECTURES.join("|")}`,
  );
}
