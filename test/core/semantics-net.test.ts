/** Conformance cases of vhost-net and vhost-vsock: C24 and C62 to C65, replayed by the core. */
import { describe, expect, test } from "vitest";
import { findPolicy } from "../../src/vhost/policy.ts";
import { memorySource, replayAll } from "../support/memory-source.ts";

const LOG_ALL = 1n << 26n;
const VIRTIO_NET_HDR = 1n << 27n;
const MRG_RXBUF = 1n << 15n;
const VERSION_1 = 1n << 32n;
const IN_ORDER = 1n << 35n;
const RX_VQ = "0x1000";
const POLICIES = ["linux-6.16", "linux-7.2"];

interface Setting {
  feat: bigint;
  used?: string;
  idx?: number;
}

/** A run of handle_rx() on queue 0, as the twelve probes see it. */
class Receiver {
  readonly lines: object[] = [];
  readonly feat: string;
  readonly used: string;
  idx: number;
  #ts = 1000;

  constructor({ feat, used = "0x15000", idx = 0 }: Setting) {
    this.feat = `0x${(feat | LOG_ALL | VERSION_1).toString(16)}`;
    this.used = used;
    this.idx = idx;
    this.add(
      {
        event: "drain",
        num: 256,
        avail: idx,
        used: idx,
        uflags: 0,
        logbase: "0x7f00",
        dev: "0xf00",
        q0: RX_VQ,
        q1: "0x2000",
      },
      true,
    );
  }

  add(event: object, state = false): this {
    const queue = state ? { vq: RX_VQ, logused: 1, logaddr: this.used, feat: this.feat } : {};
    this.lines.push({ ts: `${this.#ts++}`, cpu: 0, pid: 7, ...queue, ...event });
    return this;
  }

  chain(head: number, gpa: number, len: number): this {
    this.add({ event: "desc", vq: RX_VQ, gpa: `0x${gpa.toString(16)}`, len, acc: 2, iov: "0x0" });
    return this.add({ event: "pop", head });
  }

  packet(len: number, ret = len): this {
    this.add({ event: "rx", len });
    return this.add({ event: "rx_ret", ret });
  }

  publish(n: number, more: object = {}): this {
    return this.add({ event: "used", head: 0, len: 0, n, idx: this.idx, num: 256, ...more }, true);
  }

  /** Pages written and logged, in hex, of the whole recording. */
  async pages(): Promise<{ written: string; logged: string[] }> {
    const text = this.lines.map((line) => JSON.stringify(line)).join("\n");
    const everything = { ...findPolicy("linux-6.16"), name: "all", logs: 0x37ffffffn };
    const sets: string[] = [];
    await replayAll([memorySource("case", text)], {
      policies: [...POLICIES.map(findPolicy), everything].map((policy) => ({
        policy,
        alias: null,
      })),
      onSync: ({ pages }) => {
        for (const i of [0, 1, 2])
          sets.push(
            pages(i)
              .map((page) => page.toString(16))
              .join(" "),
          );
      },
    });
    return { written: sets[2]!, logged: [sets[0]!, sets[1]!] };
  }
}

describe("vhost-net", () => {
  test("C62 a packet of 1514 bytes and its header of 12 fills the first chain only", async () => {
    // Without mergeable buffers one chain is collected; the second stays in the ring.
    const { written, logged } = await new Receiver({ feat: VIRTIO_NET_HDR })
      .chain(0, 0x300000, 2048)
      .packet(1514)
      .publish(1)
      .pages();
    expect(written).toBe("15 300");
    expect(logged).toEqual(["15 300", "15 300"]);
  });

  test("C63 a mergeable packet of 3012 bytes with its header takes 2048 and 964", async () => {
    const { logged } = await new Receiver({ feat: VIRTIO_NET_HDR | MRG_RXBUF })
      .chain(0, 0x300000, 2048)
      .chain(1, 0x301000, 2048)
      .packet(3000)
      .publish(2)
      .pages();
    expect(logged[0]).toBe("15 300 301");
  });

  test("a packet is logged up to its length and not to the end of its buffer", async () => {
    const receiver = new Receiver({ feat: 0n })
      .chain(0, 0x300000, 0x4000)
      .packet(0x1001)
      .publish(1);
    expect((await receiver.pages()).logged[0]).toBe("15 300 301");
  });

  test("C64 an overrun writes one byte into a buffer that went back, and logs none", async () => {
    const receiver = new Receiver({ feat: VIRTIO_NET_HDR })
      .chain(0, 0x300000, 1024)
      .add({ event: "giveback", vq: RX_VQ, n: 1 })
      .packet(1, 1);
    expect(await receiver.pages()).toEqual({ written: "300", logged: ["", ""] });
  });

  test("C64 a tap that carries the header refuses the byte: nothing is written", async () => {
    const receiver = new Receiver({ feat: 0n })
      .chain(0, 0x300000, 1024)
      .add({ event: "giveback", vq: RX_VQ, n: 1 })
      .packet(1, -22);
    expect(await receiver.pages()).toEqual({ written: "", logged: ["", ""] });
  });

  test("a short receive is neither counted nor logged: its chains go back", async () => {
    const receiver = new Receiver({ feat: 0n })
      .chain(0, 0x300000, 2048)
      .packet(1000, 900)
      .add({ event: "giveback", vq: RX_VQ, n: 1 });
    expect(await receiver.pages()).toEqual({ written: "", logged: ["", ""] });
  });

  test("C24 in order: elements at slots 252 and 253 on pages 15 and 16, logged is page 15 only", async () => {
    const receiver = new Receiver({ feat: MRG_RXBUF | IN_ORDER, used: "0x15814", idx: 252 })
      .chain(252, 0x300000, 2048)
      .packet(1012)
      .chain(253, 0x301000, 2048)
      .chain(254, 0x302000, 2048)
      .packet(3012)
      .publish(2, { nheads: "0x9000", nh0: 1, nh1: 2 });
    const { written, logged } = await receiver.pages();
    expect(written).toBe("15 16 300 301 302");
    // A kernel without the fault logs both; 7.2 misses page 16.
    expect(logged).toEqual(["15 16 300 301 302", "15 300 301 302"]);
  });
});

describe("vhost-vsock", () => {
  test("C65 44 bytes of header and 100 of payload are written and never logged", async () => {
    const receiver = new Receiver({ feat: 0n }).chain(0, 0x310000, 4096).publish(1, { len: 144 });
    expect(await receiver.pages()).toEqual({ written: "15 310", logged: ["15", "15"] });
  });
});
