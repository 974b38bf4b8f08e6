/**
 * A guest with its vhost-scsi device, seen through the probes: methods do what driver, vhost
 * worker and VMM do and record the events which that makes. Rules: docs/recording.md.
 */
import type { NormalisedEvent } from "../../src/model/event.ts";
import type { Popped } from "./oracle/chain.ts";

export const VIRTIO_F_VERSION_1 = 1n << 32n;
export const VIRTIO_RING_F_EVENT_IDX = 1n << 29n;
export const VIRTIO_RING_F_INDIRECT_DESC = 1n << 28n;
export const VIRTIO_F_ANY_LAYOUT = 1n << 27n;
export const VHOST_F_LOG_ALL = 1n << 26n;

export const VHOST_SET_FEATURES = 0x4008af00;
export const VHOST_SET_LOG_BASE = 0x4008af04;
export const VHOST_SET_VRING_ADDR = 0x4028af11;
export const VHOST_SCSI_CLEAR_ENDPOINT = 0x40e8af41;
const EINVAL = 22;

/** A buffer of a request: guest-physical address and bytes. */
export type Buffer = readonly [gpa: number | bigint, len: number];

export interface QueueState {
  index: number;
  vq: bigint;
  num: number;
  /** log_addr: GPA of the used structure. */
  used: bigint;
  logused: boolean;
  lastAvail: number;
  lastUsed: number;
}
/** How a guest starts; the defaults are those of the conformance cases. */
export interface GuestOptions {
  num?: number;
  /** GPA of queue 2's used structure. */
  used?: number | bigint;
  lastUsed?: number;
  eventIdx?: boolean;
  logAll?: boolean;
  logused?: boolean;
  logbase?: bigint;
  /** The BTF form of `pop`, which carries the queue. */
  popVq?: boolean;
}

const hex = (value: number | bigint): string => `0x${BigInt(value).toString(16)}`;

export class Guest {
  readonly events: NormalisedEvent[] = [];
  readonly vs = 0xff1855990000n;
  readonly dev = this.vs + 0xe8n;
  readonly q0 = 0xff1855a00000n;
  readonly stride = 0x4a60n;
  features: bigint;
  logbase: bigint;
  /** Thread whose events are recorded: a vhost worker. */
  worker = 300;
  readonly vmm = 200;
  readonly queues = new Map<number, QueueState>();
  private readonly popVq: boolean;
  private clock = 1_000_000_000n;

  constructor(options: GuestOptions = {}) {
    const eventIdx = (options.eventIdx ?? true) ? VIRTIO_RING_F_EVENT_IDX : 0n;
    const logAll = (options.logAll ?? true) ? VHOST_F_LOG_ALL : 0n;
    this.features =
      VIRTIO_F_VERSION_1 | VIRTIO_F_ANY_LAYOUT | VIRTIO_RING_F_INDIRECT_DESC | eventIdx | logAll;
    this.logbase = options.logbase ?? 0x7f0000000000n;
    this.popVq = options.popVq ?? false;
    [0x11000n, 0x13000n, BigInt(options.used ?? 0x15000)].forEach((used, index) => {
      this.queues.set(index, {
        index,
        vq: this.q0 + this.stride * BigInt(index),
        num: options.num ?? 256,
        used,
        logused: options.logused ?? true,
        lastAvail: 0,
        lastUsed: options.lastUsed ?? 0,
      });
    });
  }

  /** The state of queue `index`; throws for a queue that does not exist. */
  queue(index: number): QueueState {
    const queue = this.queues.get(index);
    if (queue === undefined) throw new Error(`no queue ${index}`);
    return queue;
  }

  private base(pid: number): { ts: string; cpu: number; pid: number } {
    this.clock += 1000n;
    return { ts: this.clock.toString(), cpu: 0, pid };
  }

  private ring(q: QueueState) {
    return {
      vq: hex(q.vq),
      num: q.num,
      logused: q.logused ? 1 : 0,
      logaddr: hex(q.used),
      feat: hex(this.features),
    };
  }

  /** vhost_disable_notify(). */
  drain(index = 2, uflags = 0): this {
    const q = this.queue(index);
    this.events.push({
      event: "drain",
      ...this.base(this.worker),
      ...this.ring(q),
      avail: q.lastAvail,
      used: q.lastUsed,
      uflags,
      logbase: hex(this.logbase),
      dev: hex(this.dev),
      q0: hex(this.q0),
      q1: hex(this.q0 + this.stride),
    });
    return this;
  }

  /** translate_desc(); `acc` 1 = the device reads, 2 = it writes. */
  desc(index: number, [gpa, len]: Buffer, acc: number): this {
    const vq = hex(this.queue(index).vq);
    const iov = hex(this.queue(index).vq + 0x158n);
    this.events.push({
      event: "desc",
      ...this.base(this.worker),
      vq,
      gpa: hex(gpa),
      len,
      acc,
      iov,
    });
    return this;
  }

  /** Return of vhost_get_vq_desc(). */
  pop(index: number, head: number): this {
    const q = this.queue(index);
    const vq = this.popVq ? { vq: hex(q.vq) } : {};
    this.events.push({ event: "pop", ...this.base(this.worker), ...vq, head });
    if (head >= 0 && head < q.num) q.lastAvail = (q.lastAvail + 1) % 0x10000;
    return this;
  }

  /** A pop that finds the ring empty. */
  popEmpty(index = 2): this {
    return this.pop(index, this.queue(index).num);
  }

  /** vhost_add_used_n(), one element unless told otherwise. */
  used(index: number, head: number, n = 1): this {
    const q = this.queue(index);
    this.events.push({
      event: "used",
      ...this.base(this.worker),
      ...this.ring(q),
      head,
      len: 0,
      n,
      idx: q.lastUsed,
    });
    q.lastUsed = (q.lastUsed + n) % 0x10000;
    return this;
  }

  /** vhost_enable_notify(); `uflags` 1 when notifications were off. */
  rearm(index = 2, uflags = 1): this {
    const q = this.queue(index);
    this.events.push({
      event: "rearm",
      ...this.base(this.worker),
      ...this.ring(q),
      avail: q.lastAvail,
      uflags,
    });
    return this;
  }

  /** vhost_update_used_flags(). */
  uflags(index = 2, uflags = 0): this {
    const { vq, logused, logaddr } = this.ring(this.queue(index));
    const event = "uflags";
    this.events.push({ event, ...this.base(this.worker), vq, uflags, logused, logaddr });
    return this;
  }

  /** Descriptors and head of a request: readable buffers first, as the driver must. */
  take(index: number, head: number, reads: Buffer[], writes: Buffer[]): this {
    for (const buffer of reads) this.desc(index, buffer, 1);
    for (const buffer of writes) this.desc(index, buffer, 2);
    return this.pop(index, head);
  }

  /** What the probes see when vhost_get_vq_desc() took, or refused, this chain. */
  takeChain(index: number, chain: Popped): this {
    for (const { addr, len, acc } of chain.translated) this.desc(index, [addr, len], acc);
    return this.pop(index, chain.head);
  }

  /** A drain that pops one request and leaves it in flight. */
  submit(head: number, writes: Buffer[], index = 2, header = 51): this {
    this.drain(index).take(index, head, [[0x200000, header]], writes);
    return this.popEmpty(index).rearm(index);
  }

  /** A request that is popped and completed. */
  request(request: { queue?: number; head?: number; reads?: Buffer[]; writes: Buffer[] }): this {
    const { queue = 2, head = 0, reads = [[0x200000, 51]], writes } = request;
    this.drain(queue).take(queue, head, reads, writes).popEmpty(queue).rearm(queue);
    return this.used(queue, head);
  }

  /** A kick with nothing available: with EVENT_IDX avail_event is written, without it the flags. */
  kick(index = 2): this {
    const eventIdx = (this.features & VIRTIO_RING_F_EVENT_IDX) !== 0n;
    this.drain(index);
    if (!eventIdx) this.uflags(index, 1);
    this.popEmpty(index).rearm(index);
    if (!eventIdx) this.uflags(index, 0);
    return this;
  }

  /** An ioctl of the VMM from entry to return. */
  ioctl(cmd: number, a: readonly (number | bigint)[] = [], ret = 0): this {
    const [a0, a1, a2, a3, a4] = [0, 1, 2, 3, 4].map((i) => hex(a[i] ?? 0)) as [
      string,
      string,
      string,
      string,
      string,
    ];
    this.events.push({
      event: "ioctl",
      ...this.base(this.vmm),
      file: "0xff1855b00000",
      cmd,
      vs: hex(this.vs),
      arg: "0x7ffc00000000",
      a0,
      a1,
      a2,
      a3,
      a4,
    });
    this.events.push({ event: "ioctl_ret", ...this.base(this.vmm), ret });
    return this;
  }

  /** VHOST_SET_FEATURES with LOG_ALL on or off; nothing changes when it fails. */
  setLogAll(on: boolean, ret = 0): this {
    const features = (this.features & ~VHOST_F_LOG_ALL) | (on ? VHOST_F_LOG_ALL : 0n);
    if (ret === 0) this.features = features;
    return this.ioctl(VHOST_SET_FEATURES, [features], ret);
  }

  setLogBase(base: bigint, ret = 0): this {
    if (ret === 0) this.logbase = base;
    return this.ioctl(VHOST_SET_LOG_BASE, [base], ret);
  }

  /** VHOST_SET_VRING_ADDR: ring logging on or off; an unaligned log address is refused. */
  setVringAddr(index: number, logused: boolean, logaddr = this.queue(index).used): this {
    const q = this.queue(index);
    const ok = logaddr % 4n === 0n;
    if (ok) {
      q.logused = logused;
      q.used = logaddr;
    }
    const indexAndFlags = BigInt(index) | (logused ? 1n << 32n : 0n);
    return this.ioctl(VHOST_SET_VRING_ADDR, [indexAndFlags, 0, 0, 0, logaddr], ok ? 0 : -EINVAL);
  }

  clearEndpoint(ret = 0): this {
    return this.ioctl(VHOST_SCSI_CLEAR_ENDPOINT, [], ret);
  }

  /** The VMM takes the dirty log. */
  sync(number: number, name = ""): this {
    const text = `dirty_sync_begin ${number}${name === "" ? "" : ` ${name}`}`;
    this.events.push({ event: "marker", ...this.base(this.vmm), text });
    return this;
  }

  /** The recorder lost events. */
  gap(lost: number | null): this {
    this.events.push({ event: "gap", ...this.base(this.worker), lost });
    return this;
  }
}
