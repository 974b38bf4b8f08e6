/** Files that are no recording, told by what they begin with: what they are and what to do instead. */
import { type Head, latin1, magic } from "./head.ts";
import { isElf, isKdump, isMigrationStream } from "./signatures.ts";

export interface ForeignKind {
  /** For code and tests. */
  readonly name: string;
  /** A noun phrase for people. */
  readonly phrase: string;
  /** What to do instead, one clause. */
  readonly instead: string;
  matches(head: Head): boolean;
}

const RECORD = "record the vhost probes on the host with tracefs or trace-cmd";
const NOT_A_RECORDING = `this is not a recording of events: ${RECORD}`;

/** Told by a signature, so they go before everything that is told by how its lines look. */
export const FOREIGN: readonly ForeignKind[] = [
  {
    name: "empty",
    phrase: "an empty file",
    instead: "nothing was recorded: is tracing_on 1 and are the probes enabled?",
    matches: (head) => head.bytes.length === 0,
  },
  {
    name: "perf-data",
    phrase: "perf.data of perf record",
    instead:
      "give the output of: perf script -F comm,tid,cpu,time,event,trace --ns --show-lost-events",
    matches: magic("PERFILE2", "2ELIFREP", "PERFFILE"),
  },
  {
    name: "zip",
    phrase: "a zip archive",
    instead: "unpack it and give the recording in it",
    matches: magic("PK\x03\x04", "PK\x05\x06", "PK\x07\x08"),
  },
  {
    name: "7z",
    phrase: "a 7z archive",
    instead: "unpack it and give the recording in it",
    matches: magic([0x37, 0x7a, 0xbc, 0xaf, 0x27, 0x1c]),
  },
  {
    name: "cpio",
    phrase: "a cpio or RPM archive",
    instead: "unpack it and give the recording in it",
    matches: magic("070701", "070702", "070707", [0xed, 0xab, 0xee, 0xdb]),
  },
  {
    name: "bzip2",
    phrase: "bzip2",
    instead: "decompress it first (bunzip2); gzip, zstd and xz are read as they are",
    matches: ({ bytes }) => /^BZh[1-9]1AY&SY/.test(latin1(bytes.subarray(0, 10))),
  },
  {
    name: "lz4",
    phrase: "lz4",
    instead: "decompress it first (lz4 -d); gzip, zstd and xz are read as they are",
    matches: magic([0x04, 0x22, 0x4d, 0x18]),
  },
  {
    name: "pcap",
    phrase: "a packet capture (pcap)",
    instead: NOT_A_RECORDING,
    matches: magic(
      [0xd4, 0xc3, 0xb2, 0xa1],
      [0xa1, 0xb2, 0xc3, 0xd4],
      [0x4d, 0x3c, 0xb2, 0xa1],
      [0xa1, 0xb2, 0x3c, 0x4d],
      [0x0a, 0x0d, 0x0d, 0x0a],
    ),
  },
  {
    name: "elf",
    phrase: "an ELF file (program, vmcore or memory dump)",
    instead: NOT_A_RECORDING,
    matches: isElf,
  },
  { name: "kdump", phrase: "a kdump memory dump", instead: NOT_A_RECORDING, matches: isKdump },
  {
    name: "migration-stream",
    phrase: "a QEMU migration stream",
    instead: NOT_A_RECORDING,
    matches: isMigrationStream,
  },
  {
    name: "qcow2",
    phrase: "a qcow2 disk image",
    instead: NOT_A_RECORDING,
    matches: magic([0x51, 0x46, 0x49, 0xfb]),
  },
  {
    name: "ctf",
    phrase: "a CTF trace (LTTng)",
    instead: RECORD,
    matches: magic(
      "/* CTF ",
      [0xc1, 0x1f, 0xfc, 0xc1],
      [0xc1, 0xfc, 0x1f, 0xc1],
      [0x57, 0x1d, 0xd1, 0x75],
      [0x75, 0xd1, 0x1d, 0x57],
    ),
  },
  {
    name: "journal",
    phrase: "a journal file of systemd",
    instead: "give the output of: journalctl --file FILE",
    matches: magic("LPKSHHRH"),
  },
  {
    name: "perfetto",
    phrase: "a Perfetto trace",
    instead: "give the output of: traceconv systrace",
    matches: isPerfetto,
  },
];

const hasLine =
  (pattern: RegExp) =>
  ({ lines }: Head): boolean =>
    lines.some((line) => pattern.test(line));

/** Told by how some line looks, so they go behind every format that is read. */
export const FOREIGN_TEXT: readonly ForeignKind[] = [
  {
    name: "chrome-json",
    phrase: "a Chrome JSON trace",
    instead: `it has no arguments of probes: ${RECORD}`,
    matches: (head) => /^\s*(?:\[\s*)?\{\s*"(?:traceEvents|ph|displayTimeUnit)"/.test(start(head)),
  },
  {
    name: "bpftrace",
    phrase: "output of bpftrace",
    instead: `its fields are whatever its program prints: ${RECORD}`,
    matches: (head) =>
      /^\s*\{"type": ?"(?:attached_probes|printf|map|time|lost_events)"/.test(start(head)) ||
      head.lines.some((line) => /^Attach(?:ing|ed) \d{1,6} probes?/.test(line)),
  },
  {
    name: "babeltrace",
    phrase: "text of babeltrace (LTTng, CTF)",
    instead: RECORD,
    matches: hasLine(/^\[\d\d:\d\d:\d\d\.\d{9}\] \(\+[\d.?]{1,20}\) /),
  },
  {
    name: "strace",
    phrase: "a log of strace",
    instead: RECORD,
    matches: hasLine(
      /^(?:\[?(?:pid +)?\d{1,10}\]? +)?(?:[\d:.]{5,20} )?[a-z]\w{1,30}\(.*\) += -?\w+/,
    ),
  },
  {
    name: "qmp",
    phrase: "a log of QMP",
    instead: "QEMU's trace events are in the file of -D or -trace file=, or in its stderr",
    matches: (head) => /^\s*\{"(?:QMP|timestamp|return|execute)"/.test(start(head)),
  },
  {
    name: "json",
    phrase: "JSON that is no event",
    instead: 'NDJSON is one object a line, with "event": what vhost-replay dump writes',
    matches: (head) => /^\s*[[{]\s*(?:["[{}\]]|$)/.test(start(head)),
  },
  {
    name: "libvirtd-log",
    phrase: "a log of a libvirt daemon",
    instead: "QEMU's own log is /var/log/libvirt/qemu/NAME.log",
    matches: hasLine(
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}\+\d{4}: \d{1,10}: (?:debug|info|warning|error) : /,
    ),
  },
  {
    name: "dpdk-log",
    phrase: "a log of DPDK or SPDK",
    instead: "its vhost logs no single writes: docs/recording.md says how to record it",
    matches: hasLine(
      /^(?:EAL|VHOST_CONFIG|VHOST_DATA): |\*(?:NOTICE|ERROR|DEBUG|INFO|WARNING)\*: /,
    ),
  },
  {
    name: "dmesg",
    phrase: "a kernel log (dmesg)",
    instead: `no ftrace dump is in it: ${RECORD}`,
    matches: hasLine(/^(?:<\d{1,3}>)?\[ {0,6}\d{1,10}\.\d{6}\](?:\[ *[TC]\d+\])? /),
  },
  {
    name: "journal-text",
    phrase: "a system log",
    instead: `no trace event is in it: ${RECORD}`,
    matches: hasLine(/^[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S{1,255} \S{1,255}: /),
  },
];

function firstOf(kinds: readonly ForeignKind[], head: Head): ForeignKind | null {
  return kinds.find((kind) => kind.matches(head)) ?? null;
}

/** The kind of a file with a signature that is no recording's; null when it is none of these. */
export function foreignKind(head: Head): ForeignKind | null {
  return firstOf(FOREIGN, head);
}

/** What text that is no recording looks like; null when it is none of these. */
export function foreignText(head: Head): ForeignKind | null {
  return firstOf(FOREIGN_TEXT, head);
}

function start(head: Head): string {
  return latin1(head.bytes.subarray(0, 256));
}

/** trace.proto of Perfetto: nothing but length-delimited fields number 1, one a packet. */
function isPerfetto({ bytes }: Head): boolean {
  if (!bytes.subarray(0, 256).some((byte) => byte < 9)) return false;
  let at = 0;
  for (let packets = 0; packets < 4 && at < bytes.length; packets++) {
    if (bytes[at] !== 0x0a) return false;
    let length = 0;
    let scale = 1;
    let byte = 0x80;
    for (at++; byte >= 0x80; at++, scale *= 128) {
      byte = bytes[at] ?? 0xff;
      if (scale > 128 ** 4) return false;
      length += (byte & 0x7f) * scale;
    }
    // The first field of a packet: a number from 1 on, with one of the wire types in use.
    const tag = bytes[at];
    if (tag !== undefined && (tag < 8 || ![0, 1, 2, 5].includes(tag & 7))) return false;
    at += length;
  }
  return true;
}
