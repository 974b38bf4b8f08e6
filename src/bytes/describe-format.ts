import type { Sniffed, SniffedFormat } from "./sniff.ts";

/** What a person is told about a file's format. */
export interface FormatDescription {
  /** A noun phrase: `perf.data of perf record`. */
  name: string;
  readable: boolean;
  /** What to do instead, one sentence; only where the format cannot be read. */
  hint?: string;
}

const RECORD = "record the vhost probes on the host with tracefs or trace-cmd";
const NOT_A_RECORDING = `this is not a recording of events: ${RECORD}`;

const DESCRIPTIONS: Readonly<Record<SniffedFormat, FormatDescription>> = {
  gzip: { name: "gzip", readable: true },
  zstd: { name: "zstd", readable: true },
  xz: { name: "xz", readable: true },
  "trace-dat": { name: "trace.dat of trace-cmd", readable: true },
  "ftrace-text": { name: "ftrace text", readable: true },
  ndjson: { name: "NDJSON", readable: true },
  utf16le: { name: "UTF-16 text, little endian", readable: true },
  utf16be: { name: "UTF-16 text, big endian", readable: true },
  "qemu-log": { name: "a QEMU log with trace events", readable: true },
  "qemu-simple": { name: "a simpletrace file of QEMU", readable: true },
  "perf-data": {
    name: "perf.data of perf record",
    readable: false,
    hint: "give the output of: perf script -F comm,tid,cpu,time,event,trace --ns --show-lost-events",
  },
  perfetto: {
    name: "a Perfetto trace",
    readable: false,
    hint: "give the output of: traceconv systrace",
  },
  ctf: {
    name: "a CTF trace (LTTng)",
    readable: false,
    hint: RECORD,
  },
  elf: { name: "an ELF file (program or memory dump)", readable: false, hint: NOT_A_RECORDING },
  kdump: { name: "a kdump memory dump", readable: false, hint: NOT_A_RECORDING },
  "migration-stream": {
    name: "a QEMU migration stream",
    readable: false,
    hint: NOT_A_RECORDING,
  },
  empty: {
    name: "an empty file",
    readable: false,
    hint: "nothing was recorded: is tracing_on 1 and are the probes enabled?",
  },
  unknown: {
    name: "no known format",
    readable: false,
    hint: "give ftrace text, a trace.dat file or NDJSON, compressed or not",
  },
};

const RAW: FormatDescription = {
  name: "ftrace text with the tracefs option raw or hex",
  readable: false,
  hint: "this option leaves the arguments out: echo 0 > options/raw (hex, bin) and record again",
};

/**
 * Names a format for people, says whether it can be read and what to do if not. Takes what
 * `sniff` returned, or a format alone.
 */
export function describeFormat(format: SniffedFormat | Sniffed): FormatDescription {
  const sniffed: Sniffed = typeof format === "string" ? { format } : format;
  if (sniffed.format === "ftrace-text" && sniffed.detail === "raw") return RAW;
  const description = DESCRIPTIONS[sniffed.format];
  if (sniffed.detail === undefined) return description;
  const detail = sniffed.format === "trace-dat" ? `version ${sniffed.detail}` : sniffed.detail;
  return { ...description, name: `${description.name} (${detail})` };
}
