/**
 * Inputs as hosts in production have them, each long in one dimension: foreign events, CPUs, queues,
 * machines, guest memory, requests in a round. Made of the events of vhost-scsi alone, as ftrace text.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { compileMkdat, DATA } from "./compile.mjs";
import { make, openOutput } from "./output.mjs";

/** A recording that has each of these events: mkdat takes their formats from it. */
const TEMPLATE = join(import.meta.dirname, "../traces/vhost-scsi-variants/6.1-long/trace.dat");
/** VIRTIO_F_VERSION_1 and VHOST_F_LOG_ALL. */
const FEATURES = "0x104000000";
const RING = 256;
const PAGE = 4096;
/** As many as fit the length of one descriptor, in whole pages. */
const LARGE = 0x7ffff000;
/** Requests of one round, where rounds are no dimension. */
const ROUND = 20_000;

const plain = { cpus: 1, queues: 64, machines: 1, foreign: 0, bytes: PAGE, round: ROUND };

/**
 * The rows: what is long in each; `requests` where their number is part of it, `share` of the number asked
 * for where an event brings others along, `eight` policies instead of two, `dat`: as trace.dat.
 */
export const ROWS = [
  { name: "64 queues, 1 CPU, nothing else", shape: plain },
  { name: "95 % of the events are others' (sched)", shape: { ...plain, foreign: 19 }, share: 20 },
  { name: "trace.dat, 1 CPU", shape: plain, dat: true },
  { name: "trace.dat, 512 CPUs interleaved", shape: { ...plain, cpus: 512 }, dat: true },
  { name: "8192 queues of 1024 devices", shape: { ...plain, queues: 8192 } },
  { name: "200 machines", shape: { ...plain, queues: 400, machines: 200 } },
  { name: "one round of 10^6 requests", shape: { ...plain, round: 1e9 }, requests: 1e6 },
  { name: "2 TiB dense", shape: { ...plain, bytes: LARGE }, requests: 1024 },
  {
    name: "2 TiB dense, 8 policies",
    shape: { ...plain, bytes: LARGE },
    requests: 1024,
    eight: true,
  },
];

/** Path of the input of a row with so many requests, made when it is missing. */
export function makeRow({ shape, dat }, requests) {
  mkdirSync(DATA, { recursive: true });
  const base = join(DATA, `production-${Object.values(shape).join("-")}-${requests}`);
  make(`${base}.txt`, (part) => writeRequests(part, shape, requests));
  if (!dat) return `${base}.txt`;
  make(`${base}.dat`, (part) =>
    execFileSync(compileMkdat(), [TEMPLATE, `${base}.txt`, part, "none"], {
      stdio: ["ignore", "ignore", "inherit"],
    }),
  );
  return `${base}.dat`;
}

function writeRequests(path, shape, requests) {
  const { add, close } = openOutput(path);
  add("# tracer: nop\n#\n");
  let micros = 1_000_000;
  const line = (comm, pid, cpu, text) => {
    const seconds = Math.floor(micros / 1e6);
    const rest = String(micros++ % 1e6).padStart(6, "0");
    const task = `${comm.padStart(16)}-${String(pid).padEnd(7)}`;
    add(`${task} [${String(cpu).padStart(3, "0")}] .....  ${seconds}.${rest}: ${text}\n`);
  };
  const perDevice = 8;
  for (let i = 0; i < requests; i++) {
    const queue = i % shape.queues;
    const turn = Math.floor(i / shape.queues);
    const device = Math.floor(queue / perDevice);
    const machine = device % shape.machines;
    const event = (text) => {
      const pid = 10_000 + device;
      line(`vhost-${2000 + machine}`, pid, (micros * 7) % shape.cpus, text);
      for (let f = 0; f < shape.foreign; f++) line("swapper/0", 0, micros % shape.cpus, SWITCH);
    };
    if (i > 0 && i % shape.round === 0) {
      const number = i / shape.round;
      event(`tracing_mark_write: dirty_sync_begin ${number} s${number}`);
    }
    writeRequest(event, shape, { i, device, turn, vq: 0xff00_0000_0000 + queue * 0x4a20 });
  }
  close();
}

const SWITCH =
  "sched_switch: prev_comm=swapper/0 prev_pid=0 prev_prio=120 prev_state=R ==> next_comm=kworker/0:1 next_pid=12 next_prio=120";

/** What a worker does for one request: takes it, answers it. */
function writeRequest(event, shape, { i, device, turn, vq }) {
  const hex = (number) => `0x${number.toString(16)}`;
  const ring = `num=${RING}`;
  const log = `logused=1 logaddr=${hex(0x10000 + (i % shape.queues) * PAGE)} feat=${FEATURES}`;
  // Dense: one piece of memory behind the other. Else a page each, spread over 64 GiB.
  const gpa = shape.bytes === PAGE ? ((i * 12289) % (1 << 24)) * PAGE : i * (LARGE + PAGE);
  if (turn === 0) {
    const dev = `dev=${hex(0xffee_0000_0000 + device * 0x1000)}`;
    const first = 0xff00_0000_0000 + device * 8 * 0x4a20;
    event(
      `drain: (vhost_disable_notify+0x0/0x80 [vhost]) vq=${hex(vq)} ${ring} avail=0 used=0 uflags=0x0 ${log} logbase=0x7000 ${dev} q0=${hex(first)} q1=${hex(first + 0x4a20)}`,
    );
  }
  event(
    `desc: (translate_desc+0x0/0x150 [vhost]) vq=${hex(vq)} gpa=${hex(gpa)} len=${shape.bytes} iov=0x0 acc=2`,
  );
  event(
    `pop: (vhost_scsi_get_desc+0x38/0x140 [vhost_scsi] <- vhost_get_vq_desc) head=${turn % RING}`,
  );
  event(
    `used: (vhost_add_used_n+0x0/0x150 [vhost]) vq=${hex(vq)} head=${turn % RING} len=0 n=1 idx=${turn % 65536} ${ring} ${log}`,
  );
}
