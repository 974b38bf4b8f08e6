/**
 * The probes of the recipe (docs/recording.md): which event is which, by its name or by its
 * fields, and where each field goes in an event record. The one list for text, trace.dat and NDJSON.
 */
import {
  EVENT_A0,
  EVENT_A1,
  EVENT_A2,
  EVENT_A3,
  EVENT_A4,
  EVENT_ACC,
  EVENT_ADDR,
  EVENT_ARG,
  EVENT_AVAIL,
  EVENT_CDB,
  EVENT_CDB_HIGH,
  EVENT_CMD,
  EVENT_DEV,
  EVENT_DLEN,
  EVENT_FEAT,
  EVENT_FILE,
  EVENT_GPA,
  EVENT_HEAD,
  EVENT_IDX,
  EVENT_IOTLB,
  EVENT_IOV,
  EVENT_LAST,
  EVENT_LEN,
  EVENT_LOGADDR,
  EVENT_LOGBASE,
  EVENT_LOGUSED,
  EVENT_LUN,
  EVENT_N,
  EVENT_NH0,
  EVENT_NH1,
  EVENT_NHEADS,
  EVENT_NUM,
  EVENT_PERM,
  EVENT_Q0,
  EVENT_Q1,
  EVENT_RET,
  EVENT_START,
  EVENT_UFLAGS,
  EVENT_VQ,
  EVENT_VS,
  EventKind,
} from "../../assembly/event-abi.ts";
import {
  type FieldTarget,
  optional,
  type ProbeKind,
  s32,
  u8,
  u16,
  u32,
  u64,
} from "./field-target.ts";
import { USER_PROBES } from "./user-probe-fields.ts";

export type { FieldTarget, ProbeKind };

const queueState = [u8("logused", EVENT_LOGUSED), u64("logaddr", EVENT_LOGADDR)];

/** Ordered from the most to the least specific set of fields: the first that fits is taken. */
export const PROBES: readonly ProbeKind[] = [
  {
    kind: EventKind.Drain,
    name: "drain",
    distinct: true,
    fields: [
      u64("vq", EVENT_VQ),
      u32("num", EVENT_NUM),
      optional(u16("avail", EVENT_AVAIL)),
      u16("used", EVENT_IDX),
      optional(u16("uflags", EVENT_UFLAGS)),
      ...queueState,
      u64("feat", EVENT_FEAT),
      u64("logbase", EVENT_LOGBASE),
      u64("dev", EVENT_DEV),
      u64("q0", EVENT_Q0),
      u64("q1", EVENT_Q1),
    ],
  },
  {
    kind: EventKind.Used,
    name: "used",
    distinct: true,
    fields: [
      u64("vq", EVENT_VQ),
      u32("head", EVENT_HEAD),
      optional(u32("len", EVENT_LEN)),
      u32("n", EVENT_N),
      u16("idx", EVENT_IDX),
      u32("num", EVENT_NUM),
      ...queueState,
      u64("feat", EVENT_FEAT),
      optional(u64("nheads", EVENT_NHEADS)),
      optional(u16("nh0", EVENT_NH0)),
      optional(u16("nh1", EVENT_NH1)),
    ],
  },
  {
    kind: EventKind.Rearm,
    name: "rearm",
    distinct: true,
    fields: [
      u64("vq", EVENT_VQ),
      u32("num", EVENT_NUM),
      optional(u16("avail", EVENT_AVAIL)),
      u16("uflags", EVENT_UFLAGS),
      ...queueState,
      u64("feat", EVENT_FEAT),
    ],
  },
  {
    kind: EventKind.Uflags,
    name: "uflags",
    distinct: true,
    fields: [u64("vq", EVENT_VQ), u16("uflags", EVENT_UFLAGS), ...queueState],
  },
  {
    kind: EventKind.Desc,
    name: "desc",
    distinct: true,
    fields: [
      u64("vq", EVENT_VQ),
      u64("gpa", EVENT_GPA),
      u32("len", EVENT_LEN),
      optional(u64("iov", EVENT_IOV)),
      u8("acc", EVENT_ACC),
    ],
  },
  {
    kind: EventKind.Ioctl,
    name: "ioctl",
    distinct: true,
    fields: [
      optional(u64("file", EVENT_FILE)),
      u32("cmd", EVENT_CMD),
      u64("vs", EVENT_VS),
      optional(u64("arg", EVENT_ARG)),
      u64("a0", EVENT_A0),
      optional(u64("a1", EVENT_A1)),
      optional(u64("a2", EVENT_A2)),
      optional(u64("a3", EVENT_A3)),
      optional(u64("a4", EVENT_A4)),
    ],
  },
  {
    kind: EventKind.Mem,
    name: "mem",
    distinct: true,
    fields: [
      optional(u64("iotlb", EVENT_IOTLB)),
      u64("start", EVENT_START),
      u64("last", EVENT_LAST),
      u64("addr", EVENT_ADDR),
      optional(u32("perm", EVENT_PERM)),
    ],
  },
  {
    kind: EventKind.Pop,
    name: "pop",
    distinct: false,
    fields: [optional(u64("vq", EVENT_VQ)), s32("head", EVENT_HEAD)],
  },
  {
    kind: EventKind.IoctlRet,
    name: "ioctl_ret",
    distinct: false,
    fields: [{ ...u64("ret", EVENT_RET), signed: true }],
  },
  {
    kind: EventKind.Giveback,
    name: "giveback",
    distinct: false,
    fields: [u64("vq", EVENT_VQ), u32("n", EVENT_N)],
  },
  { kind: EventKind.Rx, name: "rx", distinct: false, fields: [u32("len", EVENT_LEN)] },
  {
    kind: EventKind.Cdb,
    name: "cdb",
    distinct: false,
    fields: [
      u64("lun", EVENT_LUN),
      optional(u32("dlen", EVENT_DLEN)),
      u64("c0", EVENT_CDB),
      u64("c1", EVENT_CDB_HIGH),
    ],
  },
  {
    kind: EventKind.RxRet,
    name: "rx_ret",
    distinct: false,
    fields: [{ ...u64("ret", EVENT_RET), signed: true }],
  },
  ...USER_PROBES,
];

/** Functions whose return probe carries no field of its own. */
const BY_FUNCTION: readonly { pattern: RegExp; kind: EventKind }[] = [
  { pattern: /^vhost_get_vq_desc(_n)?$/, kind: EventKind.Pop },
  { pattern: /^vhost_(scsi|net|vsock_dev)_ioctl$/, kind: EventKind.IoctlRet },
  { pattern: /^vhost_discard_vq_desc$/, kind: EventKind.Giveback },
];

function hasFields(probe: ProbeKind, fields: ReadonlySet<string>): boolean {
  return probe.fields.every((field) => field.optional || fields.has(field.name));
}

/** The probe with its fields as this recording calls them. */
function spell(probe: ProbeKind, fields: ReadonlySet<string>): ProbeKind {
  const spelt = probe.fields.map((field) => {
    if (fields.has(field.name)) return field;
    const name = field.aliases?.find((alias) => fields.has(alias));
    return name === undefined ? field : { ...field, name };
  });
  return { ...probe, fields: spelt };
}

/** Named like the probe, and with half of its fields: an event that then lacks one is an error. */
function looksLike(probe: ProbeKind, fields: ReadonlySet<string>): boolean {
  const needed = probe.fields.filter((field) => !field.optional);
  return 2 * needed.filter((field) => fields.has(field.name)).length >= needed.length;
}

/**
 * Which probe an event is: by the recipe's name when it has the fields, else by its fields, else
 * by the function it probes. Null: not one of ours. `group:name` is taken by its name.
 */
export function classifyEvent(
  name: string,
  fields: ReadonlySet<string>,
  functionName: string | null,
): ProbeKind | null {
  const own = name.slice(name.lastIndexOf(":") + 1);
  const user = USER_PROBES.filter((probe) => probe.name === own || probe.aliases?.includes(own))
    .map((probe) => spell(probe, fields))
    .find((probe) => hasFields(probe, fields));
  if (user) return user;
  const byName = PROBES.find((probe) => probe.name === own);
  if (byName) return looksLike(byName, fields) ? byName : null;
  const byFields = PROBES.find((probe) => probe.distinct && hasFields(probe, fields));
  if (byFields) return byFields;
  if (functionName === null) return null;
  const kind = BY_FUNCTION.find((entry) => entry.pattern.test(functionName))?.kind;
  const probe = PROBES.find((entry) => entry.kind === kind);
  return probe && hasFields(probe, fields) ? probe : null;
}

/** Names under which a write to trace_marker appears. */
export function isMarker(name: string): boolean {
  const own = name.slice(name.lastIndexOf(":") + 1);
  return own === "tracing_mark_write" || own === "print";
}
