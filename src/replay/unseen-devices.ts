/**
 * Devices that a recording shows and whose writes it cannot: they store into guest memory in the
 * kernel, in another process or by DMA, and nothing that is recorded says where.
 */
import { counted } from "../model/counted.ts";
import type { Place } from "../model/place.ts";
import type { DeviceSummary, InputSummary, Limit } from "../model/result.ts";

/** Code of the limit: with it, no loss that was seen is no all-clear. */
export const UNSEEN = "devices-unseen";

/** Devices that are kept one by one. */
const MOST_STARTED = 4096;
/** Places and names that a limit lists. */
const LISTED = 8;

/** A device that QEMU handed to a vhost: hw/virtio/vhost.c vhost_dev_start(). */
interface StartedDevice {
  /** VirtIODevice.name: `vhost-scsi`, `virtio-blk` … */
  name: string;
  place: Place;
}

/** Collects the devices whose start is in the recording. */
export class StartedDevices {
  readonly #byAddress = new Map<string, StartedDevice>();

  /** `space` and `dev`: QEMU's process and its struct vhost_dev; the first start of each counts. */
  note(space: number, dev: bigint, name: string, place: Place): void {
    const key = `${space} ${dev}`;
    if (this.#byAddress.has(key) || this.#byAddress.size >= MOST_STARTED) return;
    this.#byAddress.set(key, { name, place });
  }

  get all(): StartedDevice[] {
    return [...this.#byAddress.values()];
  }
}

/**
 * Drivers of the kernel that can be behind a device, by its class: the name of a virtio device is
 * that of its class (hw/virtio/virtio.c virtio_id_to_name()), that of vhost-scsi its own.
 */
const KERNEL_DRIVER: Readonly<Record<string, string>> = {
  scsi: "vhost-scsi",
  net: "vhost-net",
  vsock: "vhost-vsock",
};

const classOf = (name: string): string =>
  name.replace(/^(?:virtio|vhost|vhost-user)[-_]/, "").replace(/-device$/, "");

/** Events that only such a device makes, by what it is. */
const BY_EVENTS: readonly { pattern: RegExp; what: string; user: boolean }[] = [
  { pattern: /^vhost_user_/, what: "a vhost-user back end", user: true },
  { pattern: /^vhost_vdpa_/, what: "a vDPA device", user: false },
  { pattern: /^vfio_/, what: "a VFIO device", user: false },
];

/** The limit about such devices; null where the recording shows none. `devices`: those with events. */
export function unseenLimit(
  started: readonly StartedDevice[],
  inputs: readonly InputSummary[],
  devices: readonly DeviceSummary[],
): Limit | null {
  const told = new Set(
    devices.filter(({ queues }) => queues.length > 0).map(({ driver }) => driver),
  );
  const userSpace = [...told].some((driver) => driver.startsWith("vhost-user"));
  const kernel = kernelProbed(inputs);
  const recorded = ({ name }: StartedDevice): boolean => {
    const driver = KERNEL_DRIVER[classOf(name)];
    // A driver that no event names may be any; one without a request is idle, if its kind was probed.
    if (kernel && driver !== undefined && [...told].every((one) => !isOther(one, driver)))
      return true;
    return told.has("vhost-user") || told.has(`vhost-user-${classOf(name)}`);
  };
  const unseen = started.filter((device) => !recorded(device));
  const events = inputs.flatMap(({ name, events: counts }) =>
    BY_EVENTS.filter(
      ({ pattern, user }) =>
        !(user && userSpace) && counts.some((event) => event.count > 0 && pattern.test(event.name)),
    ).map(({ what }) => ({ what, place: { file: name, at: "" } })),
  );
  if (unseen.length === 0 && events.length === 0) return null;
  const names = [...new Set(unseen.map(({ name }) => name))].slice(0, LISTED);
  const what = [
    ...(unseen.length > 0
      ? [`${counted(unseen.length, "device")} that QEMU hands to a vhost (${names.join(", ")})`]
      : []),
    ...new Set(events.map((event) => event.what)),
  ];
  return {
    code: UNSEEN,
    text:
      `The recording shows ${listed(what)}, and not what is written there: these writes are missing here, ` +
      "and that none was seen to be lost does not say that none is.",
    effect: "more",
    places: [...unseen, ...events].slice(0, LISTED).map(({ place }) => place),
  };
}

/** Another driver of the kernel than this one: it says that only that one's probes were on. */
function isOther(told: string, driver: string): boolean {
  return Object.values(KERNEL_DRIVER).includes(told) && told !== driver;
}

/** Whether the data path of vhost in the kernel was probed. */
function kernelProbed(inputs: readonly InputSummary[]): boolean {
  return inputs.some(({ events }) =>
    events.some(({ kind, count }) => count > 0 && (kind === "used" || kind === "drain")),
  );
}

function listed(items: readonly string[]): string {
  return items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}
