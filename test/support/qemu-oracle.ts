/**
 * Elements of QEMU's own devices, naively: every thread's mappings are kept in one list, and a pop
 * takes the last ones. Written from docs/qemu.md, not from the core.
 */
import type { Argument, TraceLine } from "./make-qemu-log.ts";

export interface OracleElement {
  element: string;
  vq: bigint;
  state: "completed" | "dropped" | "in-flight";
  addressed: boolean;
  reads: { gpa: number; len: number }[];
  writes: { gpa: number; len: number }[];
  lun: number | null;
  tag: number | null;
  opcode: number | null;
  response: number | null;
  status: number | null;
  usedLen: number | null;
  /** Whether the migration's log was on when it was filled. */
  logging: boolean;
}

interface Mapping {
  gpa: bigint;
  len: bigint;
  write: boolean;
}

interface ThreadState {
  maps: Mapping[];
  /** Element popped last and not named yet. */
  unnamed: OracleElement | null;
  answer: { tag: number; response: number; status: number } | null;
}

const big = (value: Argument | undefined): bigint => BigInt(value ?? 0);
const num = (value: Argument | undefined): number => Number(value ?? 0);

/** A descriptor in pieces is traced with what was left: each piece ends where the next one begins. */
function cut(maps: readonly Mapping[]): Mapping[] {
  return maps.map((map, i) => {
    const next = maps[i + 1];
    const piece =
      next !== undefined &&
      next.write === map.write &&
      next.gpa > map.gpa &&
      map.gpa + map.len === next.gpa + next.len;
    return piece ? { ...map, len: next.gpa - map.gpa } : map;
  });
}

/** All elements, in the order in which they left: those in flight at the end last. */
export function oracleElements(lines: readonly TraceLine[]): {
  elements: OracleElement[];
  /** Fills of elements that were not popped. */
  unknown: number;
} {
  const threads = new Map<number, ThreadState>();
  const flying = new Map<bigint, OracleElement>();
  const done: OracleElement[] = [];
  let unknown = 0;
  let logging = false;
  const threadOf = (tid: number): ThreadState => {
    let thread = threads.get(tid);
    if (!thread) {
      thread = { maps: [], unnamed: null, answer: null };
      threads.set(tid, thread);
    }
    return thread;
  };
  for (const { tid, name, args } of lines) {
    const thread = threadOf(tid);
    if (name === "global_dirty_changed") logging = (num(args[0]) & 1) !== 0;
    else if (name === "address_space_map") {
      thread.maps.push({ gpa: big(args[1]), len: big(args[2]), write: num(args[3]) !== 0 });
      if (thread.maps.length > 8192) thread.maps = thread.maps.slice(-2048);
    } else if (name === "virtqueue_pop") {
      const [inNum, outNum] = [num(args[2]), num(args[3])];
      const k = inNum + outNum;
      const maps = cut(k === 0 ? [] : thread.maps.slice(-k));
      const addressed = maps.length === k && maps.every((map, i) => map.write === i >= outNum);
      const plain = maps.map(({ gpa, len }) => ({ gpa: Number(gpa), len: Number(len) }));
      const element: OracleElement = {
        element: `0x${big(args[1]).toString(16)}`,
        vq: big(args[0]),
        state: "in-flight",
        addressed,
        reads: addressed ? plain.slice(0, outNum) : [],
        writes: addressed ? plain.slice(outNum) : [],
        lun: null,
        tag: null,
        opcode: null,
        response: null,
        status: null,
        usedLen: null,
        logging: false,
      };
      thread.maps = [];
      thread.unnamed = element;
      const old = flying.get(big(args[1]));
      if (old) done.push({ ...old, state: "dropped" });
      flying.set(big(args[1]), element);
    } else if (name === "virtio_scsi_cmd_req" || name === "virtio_scsi_tmf_req") {
      if (thread.unnamed) {
        thread.unnamed.lun = num(args[0]);
        thread.unnamed.tag = num(args[1]);
        if (name === "virtio_scsi_cmd_req") thread.unnamed.opcode = num(args[2]);
      }
      thread.unnamed = null;
    } else if (name === "virtio_scsi_cmd_resp") {
      thread.answer = { tag: num(args[1]), response: num(args[2]), status: num(args[3]) };
    } else if (name === "virtqueue_fill") {
      const element = flying.get(big(args[1]));
      flying.delete(big(args[1]));
      if (!element) {
        unknown++;
        continue;
      }
      const { answer } = thread;
      thread.answer = null;
      if (answer && element.tag === answer.tag) {
        element.response = answer.response;
        element.status = answer.status;
      }
      // A thread whose element is filled names nothing any more.
      for (const other of threads.values()) if (other.unnamed === element) other.unnamed = null;
      done.push({ ...element, state: "completed", usedLen: num(args[2]), logging });
    }
  }
  return { elements: [...done, ...flying.values()], unknown };
}

/** Pages of buffers, without repetition. */
export function pagesOfBuffers(buffers: readonly { gpa: number; len: number }[]): Set<number> {
  const pages = new Set<number>();
  for (const { gpa, len } of buffers) {
    if (len === 0) continue;
    for (let page = Math.floor(gpa / 4096); page <= Math.floor((gpa + len - 1) / 4096); page++) {
      pages.add(page);
    }
  }
  return pages;
}
