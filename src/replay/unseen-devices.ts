/**
 * Devices that a recording shows and whose writes it cannot: they store into guest memory in the
 * kernel, in another process or by DMA, and nothing that is recorded says where.
 */
import { counted } from "../model/counted.ts";
import type { DeviceSummary, InputSummary, Limit } from "../model/result.ts";
import { backEndDriver, deviceClass } from "../vhost/message.ts";
import type { HandedDevice } from "./qemu-vhosts.ts";

/** Code of the limit: with it, no loss that was seen is no all-clear. */
export const UNSEEN = "devices-unseen";

/** Places and names that a limit lists. */
const LISTED = 8;

/**
 * Drivers of the kernel that can be behind a device, by its class: the name of a virtio device is
 * that of its class (hw/virtio/virtio.c virtio_id_to_name()), that of vhost-scsi its own.
 */
const KERNEL_DRIVER: Readonly<Record<string, string>> = {
  scsi: "vhost-scsi",
  net: "vhost-net",
  vsock: "vhost-vsock",
};

/** Events that only such a device makes, by what it is. */
const BY_EVENTS: readonly { pattern: RegExp; what: string; user: boolean }[] = [
  { pattern: /^vhost_user_/, what: "a vhost-user back end", user: true },
  { pattern: /^vhost_vdpa_/, what: "a vDPA device", user: false },
  { pattern: /^vfio_/, what: "a VFIO device", user: false },
];

/** The limit about such devices; null where the recording shows none. `devices`: those with events. */
export function unseenLimit(
  started: readonly HandedDevice[],
  inputs: readonly InputSummary[],
  devices: readonly DeviceSummary[],
): Limit | null {
  const worked = devices.filter(({ queues }) => queues.length > 0);
  const told = new Set(worked.map(({ driver }) => driver));
  const kernel = kernelProbed(inputs);
  const unseen = started.filter((device) => {
    if (device.inUserSpace) return false;
    const driver = KERNEL_DRIVER[deviceClass(device.name)];
    // A driver that no event names may be any; one without a request is idle, if its kind was probed.
    if (kernel && driver !== undefined && [...told].every((one) => !isOther(one, driver)))
      return false;
    return !(told.has("vhost-user") || told.has(`vhost-user-${deviceClass(device.name)}`));
  });
  const users = started.filter(({ inUserSpace }) => inUserSpace);
  const unseenUsers = withoutRecorded(users, worked);
  const userSpace = users.length > 0 || [...told].some((driver) => driver.startsWith("vhost-user"));
  const events = inputs.flatMap(({ name, events: counts }) =>
    BY_EVENTS.filter(
      ({ pattern, user }) =>
        !(user && userSpace) && counts.some((event) => event.count > 0 && pattern.test(event.name)),
    ).map(({ what }) => ({ what, place: { file: name, at: "" } })),
  );
  const places = [...unseen, ...unseenUsers, ...events].map(({ place }) => place);
  if (places.length === 0) return null;
  const what = [
    ...devicesOf(unseen, "QEMU hands to a vhost"),
    ...devicesOf(unseenUsers, "a vhost-user back end serves"),
    ...new Set(events.map((event) => event.what)),
  ];
  return {
    code: UNSEEN,
    text:
      `The recording shows ${listed(what)}, and not what is written there: these writes are missing here, ` +
      "and that none was seen to be lost does not say that none is.",
    effect: "more",
    places: places.slice(0, LISTED),
  };
}

/** Those beyond as many of their class as the back ends' own recordings show; one may show no class. */
function withoutRecorded(
  users: readonly HandedDevice[],
  worked: readonly DeviceSummary[],
): HandedDevice[] {
  const left = new Map<string, number>();
  for (const { driver } of worked) left.set(driver, (left.get(driver) ?? 0) + 1);
  return users.filter(({ name }) => {
    const own = [backEndDriver(name), "vhost-user"].find((driver) => (left.get(driver) ?? 0) > 0);
    if (own !== undefined) left.set(own, left.get(own)! - 1);
    return own === undefined;
  });
}

function devicesOf(devices: readonly HandedDevice[], whose: string): string[] {
  const names = [...new Set(devices.map(({ name }) => name))].slice(0, LISTED);
  if (names.length === 0) return [];
  return [`${counted(devices.length, "device")} that ${whose} (${names.join(", ")})`];
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
