/**
 * struct vhost_dev is the first member of vhost-net's and vhost-vsock's structure, and lies some
 * hundred bytes inside struct vhost_scsi: where, is a fact of the kernel. Ioctls name a device by the
 * one address and drains by the other, and a neighbour in the same slab page may lie as near. So an
 * offset is learned where something else ties the two addresses, and holds for all devices of a driver.
 */
import type { Device } from "./device.ts";

/** struct vhost_scsi up to its vhost_dev is no longer than this (drivers/vhost/scsi.c). */
const MOST = 4096n;

/** What ties two addresses: their process, nothing that is known, or they are of two processes. */
export type Tie = (device: Device) => "same" | "unknown" | "other";

export class DeviceLinks {
  /** Devices by the page of an address that is not linked to the other one. */
  readonly #byVs = new Map<bigint, Device[]>();
  readonly #byDev = new Map<bigint, Device[]>();
  /** Offset of struct vhost_dev in struct vhost_scsi, once it is known. */
  #offset: bigint | null = null;
  /** Offsets that contradict each other were tied. */
  differing = 0;
  /** Addresses that may have belonged together in several ways. */
  ambiguous = 0;

  /** A device of which only one address is known is open to be linked. */
  open(device: Device): void {
    if (device.vs !== null && device.dev === null) list(this.#byVs, device.vs).push(device);
    if (device.dev !== null && device.vs === null) list(this.#byDev, device.dev).push(device);
  }

  /** The device that ioctls name and whose struct vhost_dev is at `dev`; null: none is known to be. */
  ofDev(dev: bigint, tie: Tie): Device | null {
    const near = around(this.#byVs, dev - MOST + 1n, dev);
    return this.#choose(near, (device) => dev - device.vs!, tie);
  }

  /** A device that is gone is linked to no address any more. */
  close(device: Device): void {
    if (device.vs !== null) remove(this.#byVs, device.vs, device);
    if (device.dev !== null) remove(this.#byDev, device.dev, device);
  }

  /** The device whose queues were drained and that ioctls call `vs`; null: none is known to be. */
  ofVs(vs: bigint, driver: string | null, tie: Tie): Device | null {
    const near = around(this.#byDev, vs, vs + MOST - 1n);
    return this.#choose(near, (device) => device.dev! - vs, tie, driver);
  }

  /** Both addresses of a device are known now; `sure`: by more than their nearness. */
  link(device: Device, sure: boolean): void {
    remove(this.#byVs, device.vs!, device);
    remove(this.#byDev, device.dev!, device);
    const offset = device.dev! - device.vs!;
    if (!sure || inFront(device.driver)) return;
    if (this.#offset !== null && this.#offset !== offset) this.differing++;
    this.#offset = offset;
  }

  #choose(
    near: readonly Device[],
    offsetOf: (device: Device) => bigint,
    tie: Tie,
    driver?: string | null,
  ): Device | null {
    const aligned = near.filter((device) => offsetOf(device) % 8n === 0n);
    const exact = aligned.filter((device) =>
      inFront(driver ?? device.driver)
        ? offsetOf(device) === 0n
        : this.#offset === null || offsetOf(device) === this.#offset,
    );
    // A user-space back end may be recorded in the words of a driver whose layout it does not have.
    const fits = exact.length > 0 || this.#offset !== null ? exact : aligned;
    const same = fits.filter((device) => tie(device) === "same");
    if (same.length === 1) return same[0]!;
    const possible = same.length > 1 ? same : fits.filter((device) => tie(device) === "unknown");
    if (possible.length > 1) this.ambiguous++;
    return possible.length === 1 ? possible[0]! : null;
  }
}

/** drivers/vhost/net.c struct vhost_net, vsock.c struct vhost_vsock: the first member. */
function inFront(driver: string | null): boolean {
  return driver === "vhost-net" || driver === "vhost-vsock";
}

function list(lists: Map<bigint, Device[]>, address: bigint): Device[] {
  const page = address >> 12n;
  const found = lists.get(page) ?? [];
  lists.set(page, found);
  return found;
}

function remove(lists: Map<bigint, Device[]>, address: bigint, device: Device): void {
  const found = list(lists, address);
  const at = found.indexOf(device);
  if (at >= 0) found.splice(at, 1);
}

/** Devices with an address in [from, to], which is at most two pages long. */
function around(lists: Map<bigint, Device[]>, from: bigint, to: bigint): Device[] {
  const pages = from >> 12n === to >> 12n ? [from >> 12n] : [from >> 12n, to >> 12n];
  const address = (device: Device): bigint => device.vs ?? device.dev!;
  return pages
    .flatMap((page) => lists.get(page) ?? [])
    .filter((device) => address(device) >= from && address(device) <= to);
}
