import type { ByteStream, RandomAccess } from "../../bytes/source.ts";
import type { RecordingError } from "../../model/place.ts";
import type { EventFormat, HeaderPage } from "../format-file.ts";

/** What a trace.dat is read from. `random` is used when both are there; neither is ever closed. */
export interface TraceDatInput {
  /** The file's name in errors. */
  readonly name: string;
  readonly stream: ByteStream | null;
  readonly random: RandomAccess | null;
}

/** One CPU's ring-buffer pages in one buffer. */
export interface CpuData {
  readonly cpu: number;
  /** Bytes of pages that are there; -1 when compressed, where only reading tells. */
  readonly bytes: number;
  /** Plain pages: bytes that the end of the file cuts off. */
  readonly missing: number;
  /** Of its first byte in the file. */
  readonly offset: number;
  /**
   * The pages, uncompressed, in order, from the first. Reading throws RecordingError at a damaged frame;
   * but with `onDamage`, which is told, there are zeros in its place, and where the next frame cannot
   * be found, the pages end with a page of zeros. Of a file that is read as a stream, pages can be
   * opened once.
   */
  open(onDamage?: (damage: RecordingError) => void): ByteStream;
}

/** A ring buffer: the top one or that of an instance (`instances/<name>`). */
export interface TraceBuffer {
  /** "" for the top buffer. */
  readonly name: string;
  /** `mono`, `local` …; null when the file does not say. */
  readonly clock: string | null;
  /** Bytes of one ring-buffer page with its header; overrides that of `headerPage`. */
  readonly subBufferSize: number;
  readonly cpus: readonly CpuData[];
}

/** Counters of per_cpu/cpuN/stats at the end of the recording. */
export interface CpuStat {
  readonly buffer: string;
  readonly cpu: number;
  /** Events in the buffer, and those that were read out of it. */
  readonly entries: number;
  /** Events overwritten before they were read. */
  readonly overrun: number;
  readonly droppedEvents: number;
  readonly commitOverrun: number;
}

/** ns = (ts × mult) >> shift, for clock x86-tsc. trace-cmd 3.4 does not add `offset`. */
export interface Tsc2Nsec {
  readonly mult: number;
  readonly shift: number;
  readonly offset: bigint;
}

/** Guest or host that was recorded at the same time (`trace-cmd record -A`). */
export interface GuestPeer {
  readonly name: string;
  readonly traceId: bigint;
  /** The host threads of its vCPUs. */
  readonly vcpus: readonly { readonly vcpu: number; readonly pid: number }[];
}

/** That timestamps are to be shifted to a peer's clock; the samples are not kept. */
export interface TimeShift {
  readonly peerTraceId: bigint;
  readonly cpus: number;
}

/** A trace.dat file, opened: everything but the ring-buffer pages is read. */
export interface TraceDat {
  readonly version: 6 | 7;
  readonly bigEndian: boolean;
  /** Bytes of a long in trace-cmd itself, not in the kernel: that is `headerPage.commitSize`. */
  readonly userLongSize: number;
  /** Page size of the traced host, bytes. */
  readonly pageSize: number;
  readonly headerPage: HeaderPage;
  /** Event formats of the system `ftrace` first, then of the others, as they stand in the file. */
  readonly events: readonly EventFormat[];
  /** As stated: `none`, `zstd`, `zlib`; `uncompressed` for version 6, which states nothing. */
  readonly compression: string;
  readonly uname: string | null;
  readonly traceCmdVersion: string | null;
  /** Command names by pid. */
  readonly comms: ReadonlyMap<number, string>;
  readonly cpuStats: readonly CpuStat[];
  /** The recorder's clock; a buffer's own goes before it. */
  readonly clock: string | null;
  /** To be added to every timestamp; 0 when the file has none. */
  readonly dateOffsetNs: bigint;
  readonly offsetNs: bigint;
  readonly tsc2nsec: Tsc2Nsec | null;
  readonly timeShift: TimeShift | null;
  readonly traceId: bigint | null;
  readonly guests: readonly GuestPeer[];
  /** What was skipped or is odd, one sentence each. */
  readonly notes: readonly string[];
  /** Top buffer first. */
  readonly buffers: readonly TraceBuffer[];
  /** Why the index of the file is not read as a whole: data may be missing. */
  readonly broken: RecordingError | null;
  /** The text of a latency tracer, in tracefs form, which such a file has instead of pages. */
  readonly latencyText: (() => ByteStream) | null;
  /**
   * The kernel function that holds `address`, or null. Reads the symbols on the first call.
   * @throws RecordingError when they cannot be read.
   */
  symbolOf(address: bigint): Promise<string | null>;
  /** Forgets what is held in memory; the input stays open. */
  close(): void;
}
