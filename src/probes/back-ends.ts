/** Uprobes for a user-space back end, placed in the program that the user has. */
import { UsageError } from "../model/place.ts";
import { GROUP } from "./definition.ts";
import type { ElfImage } from "./elf-image.ts";
import {
  type BackEndProbe,
  libvhostUserProbes,
  measureDevice,
  Unmeasured,
} from "./libvhost-user.ts";

export const BACK_END_NAMES = ["libvhost-user", "spdk", "dpdk"] as const;
export type BackEndName = (typeof BACK_END_NAMES)[number];

/** Functions that a back end is known by; without them it cannot be probed at all. */
const FUNCTIONS: Record<BackEndName, readonly string[]> = {
  "libvhost-user": ["vu_queue_pop", "vu_gpa_to_va", "vu_queue_fill"],
  spdk: [
    "vhost_vq_get_desc",
    "vhost_vring_desc_to_iov",
    "vhost_vq_used_ring_enqueue",
    "extern_vhost_post_msg_handler",
  ],
  dpdk: ["virtio_dev_rx_split", "vhost_user_msg_handler"],
};

/** What the recipe of a back end still needs, when its functions are there. */
const NEEDS: Partial<Record<BackEndName, string>> = {
  spdk:
    "the offsets of struct spdk_vhost_virtqueue and spdk_vhost_session are not read from this build yet; " +
    "docs/recording.md has the four probes with the offsets of one build, to be checked against yours",
  dpdk: "rte_vhost copies packets in functions that are inlined: no recipe is measured that shows each copy",
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
  const needs = NEEDS[name];
  if (needs !== undefined) throw new UsageError(`--backend ${name}: ${needs}`);
  try {
    return libvhostUserProbes(measureDevice(image)).map((probe) => line(probe, image, path));
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
