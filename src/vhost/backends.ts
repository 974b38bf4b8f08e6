/** Vhosts other than vhost-scsi, as rows: kernel drivers by themselves, and user-space back ends. */
import { Cause } from "../../assembly/page-abi.ts";
import { mask } from "./causes.ts";
import { VHOST_USER_DRIVERS } from "./message.ts";
import type { BackEndProgram, Policy, Ring } from "./policy-row.ts";

/** Used elements and index of drivers/vhost: the ring's flag decides, and no end of the log stops it. */
const KERNEL_RING = mask(
  ...[Cause.RingLogged, Cause.RingFlag, Cause.RingBeyond, Cause.ElemLogged, Cause.PackedLogged],
);
/** Of DPDK, which SPDK uses: ring flag and LOG_ALL, at the log address, whatever lies there. */
const DPDK_RING = mask(
  ...[Cause.RingLogged, Cause.ElemLogged, Cause.PackedLogged, Cause.PackedAstray],
);
/** Of libvhost-user: LOG_ALL alone. */
const LIBVHOST_RING = mask(Cause.RingLogged, Cause.RingAll, Cause.ElemLogged);
const NOTIFY = mask(Cause.NotifyLogged);
/** Every write descriptor as it is at completion: there is no capture to miss or to free. */
const AT_COMPLETION = mask(
  ...[Cause.IoLogged, Cause.IoLate, Cause.IoFreed, Cause.CtlLogged, Cause.CtlLate],
  ...[Cause.EvtLogged, Cause.RxLogged, Cause.VsockLogged],
);
/** What a kernel's check of the chain and of the log does not stop. */
const UNCHECKED = mask(Cause.IoBeyond, Cause.RxBeyond);
const ANY_HEADER = mask(Cause.HeaderPiece);
const ANY_CHAIN = mask(Cause.IoRefused);

/** The same, up to the used length: what the device says it wrote. */
const BY_USED_LENGTH = mask(
  ...[Cause.PartLogged, Cause.RxLogged, Cause.VsockLogged, Cause.HeaderPiece],
);

const MEASURED_SPDK = "logs that SPDK 26.09-pre (3230130e6a41) wrote (docs/evidence.md)";
const BY_LENGTH = "of another driver's descriptors it is taken to log the full length";

/** One row each; for a recording of another driver a row is a what-if. */
export const BACK_ENDS: readonly Policy[] = [
  {
    name: "vhost-net",
    aliases: [],
    title: "vhost-net RX: the first bytes of the descriptors, as far as the packet fills them",
    logs: KERNEL_RING | NOTIFY | AT_COMPLETION | UNCHECKED | ANY_HEADER | ANY_CHAIN,
    drivers: ["vhost-net"],
    manner: {
      pages: "write descriptors, first bytes up to the packet's length",
      order: "descriptors, then used ring (but for a packet that fills the batch)",
      capture: "completion",
      notify: true,
      outOfRange: "written past the end until the store faults, then the rest is skipped",
    },
    note: `${BY_LENGTH}; VIRTIO_F_IN_ORDER as if the right range were logged: 7.2 is linux-7.2`,
    evidence: [
      "handle_rx() (net.c): chain taken and logged under one hold of vq->mutex",
      "logs that 6.1.176 and 7.2.13 wrote (docs/evidence.md)",
    ],
  },
  {
    name: "vhost-vsock",
    aliases: [],
    title: "vhost-vsock: accepts LOG_ALL and logs the used ring, never what it receives",
    logs: KERNEL_RING | NOTIFY,
    drivers: ["vhost-vsock"],
    manner: {
      pages: "no write descriptor",
      order: "used ring",
      capture: "never",
      notify: true,
      outOfRange: "written past the end until the store faults, then the rest is skipped",
    },
    evidence: [
      "vhost_transport_do_send_pkt() (vsock.c, 6.1 to 7.3) pops with no log array",
      "logs that 6.1.176 and 7.2.13 wrote (docs/evidence.md)",
    ],
  },
  {
    name: "vhost-vsock-fixed",
    aliases: [],
    title: "what if vhost-vsock logged the packets that it receives",
    logs: KERNEL_RING | NOTIFY | AT_COMPLETION | UNCHECKED | ANY_HEADER | ANY_CHAIN,
    drivers: [],
    manner: {
      pages: "write descriptors, first bytes up to the used length",
      order: "descriptors, then used ring",
      capture: "completion",
      notify: true,
      outOfRange: "written past the end until the store faults, then the rest is skipped",
    },
    note: `no kernel does this; ${BY_LENGTH}`,
    evidence: ["a thought experiment: no released kernel has it"],
  },
  {
    name: "spdk-split",
    aliases: ["spdk"],
    title: "SPDK vhost, split ring: every write descriptor, read again at completion",
    logs: DPDK_RING | AT_COMPLETION | ANY_HEADER,
    drivers: ["vhost-user", "vhost-user-scsi", "vhost-user-blk"],
    ring: "split",
    program: "spdk",
    manner: {
      pages: "every write descriptor, full length",
      order: "descriptors, then used ring",
      capture: "completion",
      notify: false,
      outOfRange: "a range that ends beyond the log is dropped whole",
    },
    evidence: [
      "lib/vhost/rte_vhost_user.c: vhost_vq_used_ring_enqueue(), vhost_log_req_desc()",
      MEASURED_SPDK,
    ],
  },
  {
    name: "spdk-packed",
    aliases: [],
    title: "SPDK vhost, packed ring (vhost-blk): logs the used descriptor, never the data",
    logs: DPDK_RING,
    drivers: ["vhost-user", "vhost-user-blk"],
    ring: "packed",
    program: "spdk",
    manner: {
      pages: "no write descriptor",
      order: "used ring",
      capture: "never",
      notify: false,
      outOfRange: "a range that ends beyond the log is dropped whole",
    },
    note: "of a packed ring; a split one is spdk-split",
    evidence: [
      "lib/vhost/rte_vhost_user.c: vhost_vq_packed_ring_enqueue() logs no descriptor",
      MEASURED_SPDK,
    ],
  },
  {
    name: "dpdk-net",
    aliases: [],
    title: "DPDK vhost net: the bytes that it copies, when it copies them",
    logs: DPDK_RING | AT_COMPLETION | ANY_CHAIN | mask(Cause.HeaderAstray),
    drivers: ["vhost-user", "vhost-user-net"],
    program: "dpdk",
    manner: {
      pages: "write descriptors, copied bytes",
      order: "descriptors, then used ring",
      capture: "completion",
      notify: false,
      outOfRange: "a range that ends beyond the log is dropped whole",
    },
    note: `${BY_LENGTH}: copied bytes are not in a recording of vhost-scsi; a header in pieces is logged in the wrong place`,
    evidence: [
      "lib/vhost/vhost.c, vhost.h, virtio_net.c: vhost_log_cache_write_iova()",
      "logs that dpdk-testpmd 22.11.11 wrote (docs/evidence.md)",
    ],
  },
  {
    name: "libvhost-user",
    aliases: ["qemu-storage-daemon", "vhost-user-blk"],
    title: "libvhost-user (virtiofsd, vhost-user-blk): write descriptors up to the used length",
    logs: LIBVHOST_RING | BY_USED_LENGTH,
    drivers: VHOST_USER_DRIVERS,
    ring: "split",
    program: "libvhost-user",
    manner: {
      pages: "write descriptors, first bytes up to the used length",
      order: "descriptors, then used ring",
      capture: "completion",
      notify: false,
      outOfRange: "an assertion stops the process",
    },
    note:
      "the used length is always 0 in a recording of vhost-scsi: descriptors count with their " +
      "full length, the log of a short transfer may have fewer pages",
    evidence: [
      "subprojects/libvhost-user: vu_queue_fill(), vu_log_queue_fill(), vu_log_write()",
      "logs that qemu-storage-daemon and virtiofsd 7.2.22 wrote (docs/evidence.md)",
    ],
  },
  {
    name: "rust-vmm",
    aliases: [],
    title: "rust-vmm vhost-user-backend: what is written through vm-memory, once a log is there",
    logs: LIBVHOST_RING | mask(Cause.RingFlag) | NOTIFY | BY_USED_LENGTH,
    drivers: VHOST_USER_DRIVERS,
    ring: "split",
    manner: {
      pages: "bytes written through vm-memory, here up to the used length",
      order: "as written",
      capture: "completion",
      notify: true,
      outOfRange: "cannot happen: a log that does not cover a region is refused",
    },
    note:
      "read, not measured; LOG_ALL is not looked at: from SET_LOG_BASE on it marks, also what counts here as " +
      "written while logging was off",
    evidence: [
      "vhost-user-backend/src/bitmap.rs (05c4f837b5dc): AtomicBitmapMmap marks each write of a region",
      "vhost-user-backend/src/handler.rs (043d0d8fa203), set_log_base(): its comment says that LOG_ALL is ignored",
    ],
  },
  {
    name: "passt",
    aliases: [],
    title: "passt: as libvhost-user, without a check of the log's end",
    logs: LIBVHOST_RING | BY_USED_LENGTH | UNCHECKED | mask(Cause.RingBeyond),
    drivers: ["vhost-user", "vhost-user-net"],
    ring: "split",
    manner: {
      pages: "write descriptors, first bytes up to the used length",
      order: "descriptors, then used ring",
      capture: "completion",
      notify: false,
      outOfRange: "written past the end of the mapping",
    },
    note: "read, not measured",
    evidence: [
      "vhost_user.c, vu_log_write(): needs a log, LOG_ALL and a length, and compares no page with the log's size",
    ],
  },
  {
    name: "vduse-blk",
    aliases: [],
    title: "QEMU's vduse-blk export: logs nothing, the vDPA interface has no dirty log",
    logs: mask(),
    drivers: [],
    manner: {
      pages: "no write descriptor",
      order: "nothing",
      capture: "never",
      notify: false,
      outOfRange: "cannot happen: there is no log",
    },
    note: "read, not measured; QEMU migrates such a device behind a shadow virtqueue, and marks what it copies",
    evidence: [
      "subprojects/libvduse/libvduse.c, vduse_queue_fill(): writes the element, and knows no log",
    ],
  },
  {
    name: "qemu-device",
    aliases: [],
    title: "QEMU's own device: marks what it unmaps, up to the used length",
    logs: LIBVHOST_RING | mask(Cause.RingFlag) | NOTIFY | BY_USED_LENGTH,
    drivers: [],
    manner: {
      pages: "write descriptors, first bytes up to the used length",
      order: "descriptors, then used ring",
      capture: "completion",
      notify: true,
      outOfRange: "cannot happen: QEMU's own bitmap covers all of its memory",
    },
    note:
      "the used length is always 0 in a recording of vhost-scsi: descriptors count with their " +
      "full length; marks go to QEMU's bitmap, not to a vhost log",
    evidence: ["hw/virtio/virtio.c: virtqueue_unmap_sg(), address_space_cache_invalidate()"],
  },
];

/** The row of a program whose probes made a recording; null: its ring is not known, and rows differ. */
export function policyOfProgram(program: BackEndProgram, ring: Ring | null): Policy | null {
  const rows = BACK_ENDS.filter((row) => row.program === program);
  const own = rows.filter((row) => row.ring === undefined || ring === null || row.ring === ring);
  const [only, ...others] = own;
  return only && others.length === 0 ? only : null;
}
