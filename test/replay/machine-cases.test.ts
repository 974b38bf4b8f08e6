/** Two machines, and two devices as neighbours: the cases in which one was taken for the other. */
import { describe, expect, test } from "vitest";
import { findPolicy } from "../../src/vhost/policy.ts";
import { memorySource, replayMachines } from "../support/memory-source.ts";

const SCSI = "(vhost_scsi_ioctl+0x0/0x9b0 [vhost_scsi])";
const LOG_ALL = "0x11c000000";
const NO_LOG = "0x118000000";

/** A recording, an event a line: `comm-pid`, then the event with its fields. */
function recording(...events: [thread: string, event: string][]): string {
  return events
    .map(
      ([thread, event], i) =>
        `${thread.padStart(23)} [000] .....   100.${String(i).padStart(6, "0")}: ${event}\n`,
    )
    .join("");
}

const ioctl = (thread: string, vs: string, cmd: string, a0: string): [string, string][] => [
  [
    thread,
    `ioctl: ${SCSI} file=0xff01 cmd=${cmd} vs=${vs} arg=0x0 a0=${a0} a1=0x0 a2=0x0 a3=0x0 a4=0x0`,
  ],
  [thread, "ioctl_ret: (f+0x0/0x10) ret=0"],
];
const owner = (thread: string, vs: string) => ioctl(thread, vs, "0xaf01", "0x0");
const features = (thread: string, vs: string, bits: string) =>
  ioctl(thread, vs, "0x4008af00", bits);

interface Queue {
  worker: string;
  vq: string;
  dev: string;
}

/** The virtqueues of a device are one array: this is number 2 of it. */
const part = (vq: string, before: bigint) => `0x${(BigInt(vq) - before).toString(16)}`;

const drain = ({ worker, vq, dev }: Queue, feat: string): [string, string] => [
  worker,
  `drain: (f+0x0/0x10) vq=${vq} num=64 avail=0 used=0 uflags=0x0 logused=1 logaddr=0x15000 ` +
    `feat=${feat} logbase=0x7f1000000000 dev=${dev} q0=${part(vq, 0xa00n)} q1=${part(vq, 0x500n)}`,
];
const pop = ({ worker, vq }: Queue, head: number, gpa: string): [string, string][] => [
  [worker, `desc: (f+0x0/0x10) vq=${vq} gpa=${gpa} len=4096 iov=0x1 acc=2`],
  [worker, `pop: (f+0x0/0x10) head=${head}`],
];
const used = ({ worker, vq }: Queue, head: number, idx: number): [string, string] => [
  worker,
  `used: (f+0x0/0x10) vq=${vq} head=${head} len=0 n=1 idx=${idx} num=64 logused=1 ` +
    `logaddr=0x15000 feat=${LOG_ALL}`,
];

const A: Queue = { worker: "vhost-4240-4242", vq: "0xff00aa10", dev: "0xff3519c6c21a02e8" };
const VS_A = "0xff3519c6c21a0200";
const B: Queue = { worker: "vhost-12345-12346", vq: "0xff00bb10", dev: "0xff3519c6f00000e8" };
const VS_B = "0xff3519c6f0000000";
const QEMU_A = "qemu-kvm-4240";
const QEMU_B = "qemu-kvm-12345";

async function machinesOf(...events: [string, string][]) {
  const { machines } = await replayMachines([memorySource("trace.txt", recording(...events))], {
    policies: [{ policy: findPolicy("linux-6.16"), alias: null }],
    window: "auto",
  });
  return machines.map(({ pid, policies, certainty, limits, devices, verdict }) => ({
    ...{
      pid,
      certainty,
      verdict,
      devices: devices.map(({ number, vs, dev }) => [number, vs, dev]),
    },
    lost: policies[0]!.lost,
    limits: limits.map(({ code }) => code),
    told: limits.every(({ code }) => !code.endsWith("-not-told")),
  }));
}

describe("two machines", () => {
  const lost = [
    ...[...owner(QEMU_A, VS_A), drain(A, NO_LOG)],
    ...[...pop(A, 1, "0x200000"), ...features(QEMU_A, VS_A, LOG_ALL), used(A, 1, 0)],
  ];
  const logged = [drain(B, LOG_ALL), ...pop(B, 1, "0x200000"), used(B, 1, 0)];

  test("a logged write of the same page number in another guest heals nothing", async () => {
    const [a, b] = await machinesOf(...lost, ...owner(QEMU_B, VS_B), ...logged);
    expect(a).toMatchObject({ pid: 4240, lost: 1, told: true });
    expect(b).toMatchObject({ pid: 12345, lost: 0, told: true });
  });

  test("are told by the names of their workers alone", async () => {
    const workers = lost.filter(([comm]) => comm === A.worker);
    const machines = await machinesOf(...workers, ...logged);
    expect(machines.map(({ pid }) => pid)).toEqual([4240, 12345]);
  });

  test("of which nothing tells whether they are one are never exact", async () => {
    const nameless = logged.map(([, event]): [string, string] => ["<...>-12346", event]);
    const [only, ...others] = await machinesOf(...lost, ...nameless);
    expect(others).toEqual([]);
    expect(only).toMatchObject({ certainty: "bounds" });
    expect(only!.limits).toContain("machines-not-told");
  });

  test("of one process are one, whoever makes the ioctls", async () => {
    const second = { ...B, worker: "vhost-4240-4243" };
    const own = [drain(second, LOG_ALL), ...pop(second, 1, "0x300000"), used(second, 1, 0)];
    const machines = await machinesOf(...lost, ...owner(QEMU_A, VS_B), ...own);
    expect(machines).toMatchObject([{ pid: 4240, lost: 1, told: true }]);
    expect(machines[0]!.devices).toHaveLength(2);
  });

  test("of which the second has the queue's address that the first gave back are two", async () => {
    const late = { ...B, vq: A.vq };
    const own = [drain(late, LOG_ALL), ...pop(late, 1, "0x200000"), used(late, 1, 0)];
    const machines = await machinesOf(...lost, ...owner(QEMU_B, VS_B), ...own);
    expect(machines).toMatchObject([
      { pid: 4240, lost: 1, told: true },
      { pid: 12345, lost: 0, told: true },
    ]);
  });

  test("of which the second opened a device where the first one's was are two", async () => {
    const late = { ...A, worker: B.worker };
    const own = [drain(late, LOG_ALL), ...pop(late, 1, "0x200000"), used(late, 1, 0)];
    const machines = await machinesOf(...lost, ...owner(QEMU_B, VS_A), ...own);
    expect(machines).toMatchObject([
      { pid: 4240, lost: 1, devices: [[0, VS_A, A.dev]], told: true },
      { pid: 12345, lost: 0, devices: [[1, VS_A, A.dev]], told: true },
    ]);
  });

  test("a process of which only ioctls are recorded is no machine", async () => {
    const machines = await machinesOf(...lost, ...owner(QEMU_B, VS_B));
    expect(machines).toMatchObject([{ pid: 4240, lost: 1 }]);
    expect(machines[0]!.limits).toContain("idle-devices");
  });
});

describe("two devices in one slab page", () => {
  const NEIGHBOUR = "0xff3519c6c21a0000";
  const popped = [
    ...[...owner(QEMU_A, VS_A), ...features(QEMU_A, VS_A, LOG_ALL), drain(A, LOG_ALL)],
    ...pop(A, 1, "0x200000"),
  ];

  test("SET_FEATURES of the neighbour frees no captures of this device", async () => {
    const [a] = await machinesOf(
      ...[...owner("qemu-other-9", NEIGHBOUR), ...popped],
      ...[...features("qemu-other-9", NEIGHBOUR, NO_LOG), used(A, 1, 0)],
    );
    expect(a).toMatchObject({ pid: 4240, lost: 0, told: true });
  });

  test("CLEAR_ENDPOINT of the neighbour drops no requests of this device", async () => {
    const late = [...owner(QEMU_A, VS_A), drain(A, NO_LOG), ...pop(A, 1, "0x200000")];
    const [a] = await machinesOf(
      ...[...owner("qemu-other-9", NEIGHBOUR), ...late, ...features(QEMU_A, VS_A, LOG_ALL)],
      ...[...ioctl("qemu-other-9", NEIGHBOUR, "0x40e8af41", "0x0"), used(A, 1, 0)],
    );
    expect(a).toMatchObject({ pid: 4240, lost: 1 });
  });

  test("its own SET_FEATURES does free them", async () => {
    const [a] = await machinesOf(
      ...[...owner("qemu-other-9", NEIGHBOUR), ...popped],
      ...features(QEMU_A, VS_A, NO_LOG),
      ...[...features(QEMU_A, VS_A, LOG_ALL), used(A, 1, 0)],
    );
    expect(a).toMatchObject({ lost: 1, told: true, devices: [[1, VS_A, A.dev]] });
  });
});

test("2000 devices of one machine are 2000 devices, in the order in which they appeared", async () => {
  const hex = (n: number) => `0x${n.toString(16)}`;
  const devices = Array.from({ length: 2000 }, (_, n) =>
    drain(
      { worker: "vhost-7-8", vq: hex(0x2000 + n * 0x100000), dev: hex(0xff00 + n * 0x100000) },
      NO_LOG,
    ),
  );
  const [only, ...others] = await machinesOf(...devices);
  expect(others).toEqual([]);
  expect(only!.devices.map(([number]) => number)).toEqual(
    Array.from({ length: 2000 }, (_, n) => n),
  );
});
