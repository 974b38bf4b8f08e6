/** Uprobes for a user-space back end, placed in the program that the user has. */
import { UsageError } from "../model/place.ts";
import type { BackEndProbe } from "./back-end-probe.ts";
import { GROUP } from "./definition.ts";
import type { ElfImage } from "./elf-image.ts";
import { libvhostUserProbes, measureDevice } from "./libvhost-user.ts";
import { SPDK_FUNCTIONS, spdkLayout, spdkProbes } from "./spdk.ts";
import { Unmeasured } from "./unmeasured.ts";

export const BACK_END_NAMES = ["libvhost-user", "spdk", "dpdk"] as const;
export type BackEndName = (typeof BACK_END_NAMES)[number];

/** Functions that a back end is known by; without them it cannot be probed at all. */
const FUNCTIONS: Record<BackEndName, readonly string[]> = {
  "libvhost-user": ["vu_queue_pop", "vu_gpa_to_va", "vu_queue_fill"],
  spdk: SPDK_FUNCTIONS,
  dpdk: [],
};

/** The probes of a program that has these functions. Throws Unmeasured where what they need is not known. */
const PROBES: Readonly<Record<BackEndName, (image: ElfImage) => BackEndProbe[]>> = {
  "libvhost-user": (image) => libvhostUserProbes(measureDevice(image)),
  spdk: (image) => spdkProbes(spdkLayout((name) => image.debugSection(name), image.file)),
  // virtio_dev_rx(), fill_vec_buf_split(), mbuf_to_desc() and their packed sisters are always inlined.
  dpdk: () => {
    throw new Unmeasured(
      "rte_vhost copies packets in functions that are inlined into rte_vhost_enqueue_burst(), so no probe at a " +
        "function sees a descriptor; missing is a recipe that finds each copy in the instructions of a build. " +
        "Record QEMU beside it (record --qemu-socket): its devices are named, and that their writes are not seen",
    );
  },
};

/** The lines for uprobe_events. Throws UsageError that says what the program lacks. */
export function backEndLines(name: BackEndName, image: ElfImage, path: string): string[] {
  const missing = FUNCTIONS[name].filter((each) => image.function(each) === null);
  if (missing.length > 0) {
    const where =
      image.functions === 0
        ? "it has no symbols at all"
        : `not among its ${image.functions} functions`;
    throw new UsageError(
      `--backend ${name}: ${image.file} has no ${missing.join(", ")} (${where}); is it the right program, and are ` +
        "its debug symbols installed?",
    );
  }
  try {
    return PROBES[name](image).map((probe) => line(probe, image, path));
  } catch (error) {
    if (!(error instanceof Unmeasured)) throw error;
    throw new UsageError(`--backend ${name}: ${image.file}: ${error.message}`);
  }
}

function line(probe: BackEndProbe, image: ElfImage, path: string): string {
  const found = image.function(probe.function)!;
  const offset = image.fileOffset(found.address);
  if (offset === null) throw new Unmeasured(`${probe.function} lies in no segment of the file`);
  const type = probe.atReturn ? "r" : "p";
  return `${type}:${GROUP}/${probe.event} ${path}:0x${offset.toString(16)} ${probe.fields.join(" ")}`;
}
