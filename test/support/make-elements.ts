/** A device of QEMU itself, seen through its trace events: builds TraceLines. */
import type { Argument, TraceLine } from "./make-qemu-log.ts";

export const AS = 0x7f5062272900n;
export const VDEV = 0x55557c5ccc60n;
export const VQ = 0x55557c5cf168n;

/** Guest-physical address and length of one mapping. */
export type Mapping = readonly [gpa: number | bigint, len: number];

export class QemuGuest {
  readonly lines: TraceLine[] = [];
  /** Thread of the events that follow. */
  tid = 21328;
  #ns: bigint;

  constructor(ns = 1_795_395_668_353_276_000n) {
    this.#ns = ns;
  }

  event(name: string, ...args: Argument[]): this {
    this.#ns += 3000n;
    this.lines.push({ ns: this.#ns, tid: this.tid, name, args });
    return this;
  }

  /** Events of another thread in between. */
  on(tid: number): this {
    this.tid = tid;
    return this;
  }

  notify(n = 3, vq: bigint = VQ, vdev: bigint = VDEV): this {
    return this.event("virtio_queue_notify", vdev, n, vq);
  }

  map([gpa, len]: Mapping, write: boolean): this {
    return this.event("address_space_map", AS, gpa, len, write ? 1 : 0, 0);
  }

  /** Mappings as the device makes them: what it reads, then what it writes; then the pop. */
  pop(elem: bigint, reads: readonly Mapping[], writes: readonly Mapping[], vq: bigint = VQ): this {
    for (const mapping of reads) this.map(mapping, false);
    for (const mapping of writes) this.map(mapping, true);
    this.event("virtqueue_alloc_element", elem, 272, writes.length, reads.length);
    return this.event("virtqueue_pop", vq, elem, writes.length, reads.length);
  }

  fill(elem: bigint, len = 108, vq: bigint = VQ): this {
    return this.event("virtqueue_fill", vq, elem, len, 0);
  }

  /** READ(10) of one buffer, completed. */
  read(elem: bigint, [gpa, len]: Mapping, lun = 0, tag = 0x42da2810): this {
    const header: Mapping = [0x2da2948, 0x33];
    const response: Mapping = [0x2da2983, 0x6c];
    this.notify();
    this.pop(elem, [header], [response, [gpa, len]]);
    this.event("virtio_scsi_cmd_req", lun, tag, 0x28);
    this.map([gpa, len], true);
    this.event("virtio_scsi_cmd_resp", lun, tag, 0, 0);
    return this.fill(elem, len + 108);
  }
}
