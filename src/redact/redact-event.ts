/**
 * One event after the redaction. Every field is named here: what is not, is not in the output. The
 * table for people is docs/redact.md.
 */

import { NO_ADDRESS } from "../core/queue-record.ts";
import type { DescEvent, IoctlEvent, NormalisedEvent, QemuTraceEvent } from "../model/event.ts";
import { ioctlName } from "../vhost/ioctl.ts";
import type { Mapping } from "./mapping.ts";
import { argument, ramSlot } from "./survey.ts";

const hex = (value: bigint): string => `0x${value.toString(16)}`;
const ZERO = "0x0";

/** What every event has. */
interface Base {
  ts: string;
  cpu: number;
  pid: number;
}

/** The sync that a marker is; null for any other marker. */
export type SyncOf = (text: string) => { number: number; name: string } | null;

/** Redacts the events of one recording, in order: it keeps KVM's memory slots as they change. */
export class EventRedactor {
  readonly #map: Mapping;
  /** Number of the process whose addresses the recording has. */
  readonly #space: number;
  /** Added to every time, ns. */
  readonly #shift: bigint;
  readonly #syncOf: SyncOf;
  readonly #slots = new Map<number, bigint>();

  constructor(map: Mapping, space: number, shift: bigint, syncOf: SyncOf) {
    this.#map = map;
    this.#space = space;
    this.#shift = shift;
    this.#syncOf = syncOf;
  }

  /** The event as it may be shared, a descriptor perhaps in pieces; none: it is left out. */
  redact(event: NormalisedEvent): NormalisedEvent[] {
    const base = {
      ts: (BigInt(event.ts) + this.#shift).toString(),
      cpu: event.cpu,
      pid: this.#map.pid(event.pid),
    };
    if (event.event === "desc") return this.#descriptor(event, base);
    const redacted = this.#one(event, base);
    return redacted ? [redacted] : [];
  }

  /** A descriptor is cut where its pages go to different places. */
  #descriptor(event: DescEvent, base: Base): DescEvent[] {
    const map = this.#map;
    const { acc } = event;
    const vq = hex(map.kernel(BigInt(event.vq)));
    const pieces = map.pieces(BigInt(event.gpa), BigInt(event.len));
    return pieces.map(({ gpa, len }) => ({
      ...{ event: "desc", ...base, vq, gpa: hex(gpa), len: Number(len), acc, iov: ZERO },
    }));
  }

  #one(event: Exclude<NormalisedEvent, DescEvent>, base: Base): NormalisedEvent | null {
    const map = this.#map;
    const kernel = (address: string): string => hex(map.kernel(BigInt(address)));
    const gpa = (address: string): string => hex(map.gpa(BigInt(address)));
    const any = (address: string): string => hex(map.user(this.#space, BigInt(address)));
    switch (event.event) {
      case "pop": {
        const vq = event.vq === undefined ? {} : { vq: kernel(event.vq) };
        return { event: "pop", ...base, ...vq, head: event.head };
      }
      case "used": {
        const { head, len, n, idx, num, logused, feat } = event;
        const ring = { vq: kernel(event.vq), logaddr: gpa(event.logaddr) };
        const known = event.nheads !== undefined && BigInt(event.nheads) !== 0n;
        const heads = known ? { nheads: "0x1", nh0: event.nh0 ?? 0, nh1: event.nh1 ?? 0 } : {};
        return { event: "used", ...base, ...ring, head, len, n, idx, num, logused, feat, ...heads };
      }
      case "drain": {
        const { num, avail, used, uflags, logused, feat } = event;
        return {
          ...{ event: "drain", ...base, vq: kernel(event.vq), num, avail, used, uflags, logused },
          ...{ logaddr: gpa(event.logaddr), feat, logbase: any(event.logbase) },
          ...{ dev: kernel(event.dev), q0: kernel(event.q0), q1: kernel(event.q1) },
        };
      }
      case "rearm": {
        const { num, avail, uflags, logused, feat } = event;
        const ring = { vq: kernel(event.vq), logaddr: gpa(event.logaddr) };
        return { event: "rearm", ...base, ...ring, num, avail, uflags, logused, feat };
      }
      case "uflags": {
        const { uflags, logused } = event;
        const ring = { vq: kernel(event.vq), logaddr: gpa(event.logaddr) };
        return { event: "uflags", ...base, ...ring, uflags, logused };
      }
      case "mem": {
        const { start, last, perm } = event;
        const addr = hex(map.host(BigInt(event.addr)));
        return { event: "mem", ...base, iotlb: ZERO, start, last, addr, perm };
      }
      case "ioctl":
        return this.#ioctl(event, base);
      case "ioctl_ret":
        return { event: "ioctl_ret", ...base, ret: event.ret };
      case "marker": {
        const sync = this.#syncOf(event.text);
        if (!sync) return null;
        const name = map.words.syncName(sync.name);
        const text = `dirty_sync_begin ${sync.number}${name === "" ? "" : ` ${name}`}`;
        return { event: "marker", ...base, text };
      }
      case "gap":
        return { event: "gap", ...base, lost: event.lost };
      case "giveback":
        return { event: "giveback", ...base, vq: kernel(event.vq), n: event.n };
      case "rx":
        return { event: "rx", ...base, len: event.len };
      case "rx_ret":
        return { event: "rx_ret", ...base, ret: event.ret };
      case "cdb":
        // A CDB holds the LBA and the verdict does not need it.
        return null;
      case "qemu": {
        const args = this.#arguments(event);
        return args && { event: "qemu", ...base, name: event.name, args };
      }
    }
  }

  /** Payload words only where include/uapi/linux/vhost.h says what they are and the replay asks. */
  #ioctl(event: IoctlEvent, base: Base): IoctlEvent {
    const map = this.#map;
    const name = ioctlName(event.cmd);
    let a0 = ZERO;
    let a4 = ZERO;
    if (
      name === "SET_FEATURES" ||
      /^SET_VRING_(BASE|NUM|ADDR)$|^GET_VRING_BASE$/.test(name ?? "")
    ) {
      a0 = event.a0;
    } else if (name === "SET_LOG_BASE") a0 = hex(map.user(this.#space, BigInt(event.a0)));
    if (name === "SET_VRING_ADDR") a4 = hex(map.gpa(BigInt(event.a4)));
    const driver = event.driver === undefined ? {} : { driver: event.driver };
    return {
      ...{ event: "ioctl", ...base, file: ZERO, cmd: name === null ? 0 : event.cmd },
      ...{ vs: hex(map.kernel(BigInt(event.vs))), arg: ZERO },
      ...{ a0, a1: ZERO, a2: ZERO, a3: ZERO, a4, ...driver },
    };
  }

  /** Arguments of an event of QEMU; null: the event is left out, the replay does not need it. */
  #arguments(event: QemuTraceEvent): QemuTraceEvent["args"] | null {
    const map = this.#map;
    const given = (name: string): bigint => argument(event, name);
    const number = (name: string): number | string => event.args[name] ?? 0;
    const text = (name: string): string => String(event.args[name] ?? "");
    const pointer = (name: string): string => hex(map.user(this.#space, given(name)));
    switch (event.name) {
      case "address_space_map":
        return {
          ...{ as: ZERO, addr: hex(map.gpa(given("addr"))), len: hex(given("len")) },
          ...{ is_write: number("is_write"), attrs: ZERO },
        };
      case "virtqueue_pop":
        return {
          ...{ vq: pointer("vq"), elem: pointer("elem") },
          ...{ in_num: number("in_num"), out_num: number("out_num") },
        };
      case "virtqueue_fill":
        return {
          ...{ vq: pointer("vq"), elem: pointer("elem"), len: number("len"), idx: number("idx") },
        };
      case "virtio_queue_notify":
        return { vdev: pointer("vdev"), n: number("n"), vq: pointer("vq") };
      case "virtio_scsi_cmd_req":
        return { lun: number("lun"), tag: this.#tag(event), cmd: hex(given("cmd")) };
      case "virtio_scsi_cmd_resp":
        return {
          ...{ lun: number("lun"), tag: this.#tag(event), response: number("response") },
          ...{ status: hex(given("status")) },
        };
      case "virtio_scsi_tmf_req":
        return { lun: number("lun"), tag: this.#tag(event), subtype: number("subtype") };
      case "virtio_scsi_tmf_resp":
        return { lun: number("lun"), tag: this.#tag(event), response: number("response") };
      case "virtio_blk_handle_read":
        return { vdev: pointer("vdev"), req: ZERO, sector: 0, nsectors: 0 };
      case "ram_save_page": {
        const page = map.ramPage(text("rbname"), given("offset"), given("host"));
        const rbname = map.words.ramBlock(text("rbname"));
        return { rbname, offset: hex(page.offset), host: hex(page.host) };
      }
      case "ram_load_loop": {
        const page = map.ramPage(text("rbname"), given("addr"), given("host"));
        const rbname = map.words.ramBlock(text("rbname"));
        const flags = hex(given("flags"));
        return { rbname, addr: hex(page.offset), flags, host: hex(page.host) };
      }
      case "savevm_section_end":
        return { id: "", section_id: 0, ret: 0 };
      case "migration_bitmap_sync_start":
      case "migration_cancel":
      case "postcopy_start":
        return {};
      case "migration_bitmap_sync_end":
        return { dirty_pages: number("dirty_pages") };
      case "memory_region_sync_dirty":
        return { mr: "", listener: map.words.listener(text("listener")), global: 0 };
      case "global_dirty_changed":
        return { bitmask: hex(given("bitmask")) };
      case "migrate_set_state":
        return { new_state: map.words.state(text("new_state")) };
      case "runstate_set":
        return {
          ...{ current_state: 0, current_state_str: map.words.state(text("current_state_str")) },
          ...{ new_state: 0, new_state_str: map.words.state(text("new_state_str")) },
        };
      case "migration_completion_vm_stop":
        return { ret: 0 };
      case "kvm_dirty_ring_page":
        return this.#dirtied(event);
      case "kvm_set_user_memory":
        return this.#slot(event);
      case "vhost_region_add_section":
        return {
          ...{ name: "", gpa: hex(given("gpa")), size: hex(given("size")) },
          ...{ host: hex(map.host(given("host"))) },
        };
      case "vhost_user_set_mem_table_withfd":
        return {
          ...{ index: number("index"), name: "", memory_size: hex(given("memory_size")) },
          ...{ guest_phys_addr: hex(given("guest_phys_addr")), offset: ZERO },
          ...{ userspace_addr: hex(map.host(given("userspace_addr"))) },
        };
      case "vhost_dev_start":
      case "vhost_dev_stop":
        return { dev: pointer("dev"), name: "", vrings: 0 };
      default:
        return null;
    }
  }

  #tag(event: QemuTraceEvent): string {
    return hex(this.#map.tag(this.#space, argument(event, "tag") & 0xffff_ffffn));
  }

  #slot(event: QemuTraceEvent): QemuTraceEvent["args"] {
    const slot = ramSlot(event);
    if (slot) this.#slots.set(slot.slot, slot.gpa);
    return {
      ...{ as: event.args.as ?? 0, slot: event.args.slot ?? 0, flags: ZERO },
      ...{ guest_phys_addr: hex(argument(event, "guest_phys_addr")) },
      ...{ memory_size: hex(argument(event, "memory_size")) },
      ...{ userspace_addr: hex(this.#map.host(argument(event, "userspace_addr"))) },
      ...{ fd: 0, fd_offset: ZERO, ret: 0 },
    };
  }

  /** `offset` counts pages from the beginning of the slot. */
  #dirtied(event: QemuTraceEvent): QemuTraceEvent["args"] {
    const slot = Number(argument(event, "slot"));
    const base = this.#slots.get(slot);
    if (base === undefined) return { vcpu: 0, slot, offset: ZERO };
    const gpa = base + argument(event, "offset") * 4096n;
    const moved = gpa < NO_ADDRESS ? this.#map.gpa(gpa) - (base & ~0xfffn) : 0n;
    return { vcpu: 0, slot, offset: hex(BigInt.asUintN(64, moved) / 4096n) };
  }
}
