/**
 * Ring addresses of QEMU's own devices, from the driver's writes to the common configuration of
 * virtio-pci. virtio 1.2, 4.1.4.3 (struct virtio_pci_common_cfg); hw/virtio/virtio-pci.c
 * virtio_pci_common_write(). The structure is the first 4 KiB of a region of its own.
 */

/** Whether a region of this name is a device's common configuration. */
export const isCommonConfig = (region: string): boolean => region.startsWith("virtio-pci-common");

/** A split virtqueue that a driver enabled. */
export interface EnabledRing {
  /** VirtIODevice, as an address of the process. */
  vdev: bigint;
  queue: number;
  size: number;
  used: number;
}

/** Offsets in struct virtio_pci_common_cfg. */
export const ConfigRegister = {
  DriverFeatureSelect: 0x08,
  DriverFeature: 0x0c,
  DeviceStatus: 0x14,
  QueueSelect: 0x16,
  QueueSize: 0x18,
  QueueEnable: 0x1c,
  QueueUsedLow: 0x30,
  QueueUsedHigh: 0x34,
} as const;

/** VIRTIO_F_RING_PACKED is bit 34: bit 2 of the second word. */
const RING_PACKED = 4;
const MAX_QUEUES = 1024;
const MAX_REGIONS = 256;

interface Queue {
  size: number;
  low: number;
  high: number;
  enabled: boolean;
}

interface Region {
  vdev: bigint | null;
  select: number;
  featureSelect: number;
  packed: boolean;
  queues: Map<number, Queue>;
}

/** Follows the writes of one QEMU; tells rings as soon as their device is known. */
export class PciConfig {
  readonly #regions = new Map<bigint, Region>();
  /** Region whose status a thread just wrote: virtio_set_status follows in the same thread. */
  readonly #status = new Map<number, Region>();
  readonly #onRing: (ring: EnabledRing) => void;

  constructor(onRing: (ring: EnabledRing) => void) {
    this.#onRing = onRing;
  }

  /** memory_region_ops_write of a region named `virtio-pci-common…`. */
  write(thread: number, region: bigint, addr: bigint, value: number): void {
    const state = this.#region(region);
    if (!state) return;
    const queue = state.queues.get(state.select);
    switch (Number(addr & 0xfffn)) {
      case ConfigRegister.DriverFeatureSelect:
        state.featureSelect = value;
        break;
      case ConfigRegister.DriverFeature:
        if (state.featureSelect === 1) state.packed = (value & RING_PACKED) !== 0;
        break;
      case ConfigRegister.DeviceStatus:
        if (value === 0) state.queues.clear();
        if (this.#status.size < MAX_REGIONS) this.#status.set(thread, state);
        break;
      case ConfigRegister.QueueSelect:
        state.select = value;
        if (value < MAX_QUEUES && !state.queues.has(value)) {
          state.queues.set(value, { size: 0, low: 0, high: 0, enabled: false });
        }
        break;
      case ConfigRegister.QueueSize:
        if (queue) queue.size = value;
        break;
      case ConfigRegister.QueueUsedLow:
        if (queue) queue.low = value;
        break;
      case ConfigRegister.QueueUsedHigh:
        if (queue) queue.high = value;
        break;
      case ConfigRegister.QueueEnable:
        if (queue && value === 1) {
          queue.enabled = true;
          this.#tell(state, state.select, queue);
        }
        break;
      default:
    }
  }

  /** virtio_set_status: names the device whose status this thread just wrote. */
  status(thread: number, vdev: bigint): void {
    const state = this.#status.get(thread);
    this.#status.delete(thread);
    if (!state || state.vdev === vdev) return;
    state.vdev = vdev;
    for (const [number, queue] of state.queues) if (queue.enabled) this.#tell(state, number, queue);
  }

  #region(address: bigint): Region | null {
    const known = this.#regions.get(address);
    if (known) return known;
    if (this.#regions.size >= MAX_REGIONS) return null;
    const region: Region = {
      vdev: null,
      select: 0,
      featureSelect: 0,
      packed: false,
      queues: new Map([[0, { size: 0, low: 0, high: 0, enabled: false }]]),
    };
    this.#regions.set(address, region);
    return region;
  }

  #tell({ vdev, packed }: Region, queue: number, { size, low, high }: Queue): void {
    const used = low + high * 0x100000000;
    if (vdev === null || packed || used === 0 || size === 0) return;
    this.#onRing({ vdev, queue, size, used });
  }
}
