/** The uprobes of user-space back ends (docs/recording.md), as rows of the table of probes. */
import {
  EVENT_A0,
  EVENT_A1,
  EVENT_A2,
  EVENT_A3,
  EVENT_A4,
  EVENT_ACC,
  EVENT_CMD,
  EVENT_DEV,
  EVENT_FEAT,
  EVENT_GPA,
  EVENT_HEAD,
  EVENT_IDX,
  EVENT_LEN,
  EVENT_LOGADDR,
  EVENT_LOGBASE,
  EVENT_N,
  EVENT_NUM,
  EVENT_Q0,
  EVENT_Q1,
  EVENT_UFLAGS,
  EVENT_VQ,
  EVENT_VS,
  EventKind,
} from "../../assembly/event-abi.ts";
import { called, optional, type ProbeKind, u8, u16, u32, u64 } from "./field-target.ts";

/** libvhost-user: 1 where the next two are recorded; log_table and log_size, 0 without a log. */
const log = [
  optional(u8("told", EVENT_ACC)),
  optional(u64("logbase", EVENT_LOGBASE)),
  optional(u64("logsize", EVENT_Q1)),
];

/** Of the payload of a vhost-user message: its first five words. */
const words = [EVENT_A0, EVENT_A1, EVENT_A2, EVENT_A3, EVENT_A4].map((target, i) =>
  u64(`w${i}`, target),
);

/**
 * Uprobes in user-space back ends: SPDK's lib/vhost/rte_vhost_user.c and libvhost-user. Their names in
 * recordings of other recipes are those of the kernel's probes, so all of the fields must fit.
 */
export const USER_PROBES: readonly ProbeKind[] = [
  {
    kind: EventKind.Message,
    name: "message",
    aliases: ["msg"],
    distinct: false,
    fields: [
      u64("vid", EVENT_VS),
      called(u32("request", EVENT_CMD), "req"),
      optional(u32("size", EVENT_LEN)),
      ...words,
    ],
  },
  {
    kind: EventKind.SpdkGet,
    name: "spdk_get",
    aliases: ["get"],
    distinct: false,
    fields: [
      u64("vs", EVENT_DEV),
      u64("vq", EVENT_VQ),
      u32("head", EVENT_HEAD),
      u32("num", EVENT_NUM),
      u16("used", EVENT_IDX),
      called(u32("index", EVENT_N), "qi"),
      called(u64("feat", EVENT_FEAT), "features"),
    ],
  },
  {
    kind: EventKind.SpdkDesc,
    name: "spdk_desc",
    aliases: ["desc"],
    distinct: false,
    fields: [
      u64("vs", EVENT_DEV),
      u64("gpa", EVENT_GPA),
      u32("len", EVENT_LEN),
      u16("flags", EVENT_UFLAGS),
    ],
  },
  {
    kind: EventKind.SpdkUsed,
    name: "spdk_used",
    aliases: ["used"],
    distinct: false,
    fields: [
      u64("vs", EVENT_DEV),
      u64("vq", EVENT_VQ),
      u32("head", EVENT_HEAD),
      u32("len", EVENT_LEN),
      u32("num", EVENT_NUM),
      u16("idx", EVENT_IDX),
      called(u32("index", EVENT_N), "qi"),
      called(u64("feat", EVENT_FEAT), "features"),
    ],
  },
  {
    kind: EventKind.VuPopEntry,
    name: "vu_pop_entry",
    aliases: ["popin"],
    distinct: false,
    fields: [
      u64("dev", EVENT_DEV),
      u64("vq", EVENT_VQ),
      optional(u64("q0", EVENT_Q0)),
      u32("num", EVENT_NUM),
      u16("used", EVENT_IDX),
      u64("logaddr", EVENT_LOGADDR),
      u16("flags", EVENT_UFLAGS),
      called(u64("feat", EVENT_FEAT), "features"),
      ...log,
    ],
  },
  {
    kind: EventKind.VuAddress,
    name: "vu_gpa",
    aliases: ["gpa"],
    distinct: false,
    fields: [u64("gpa", EVENT_GPA), u32("len", EVENT_LEN), optional(u64("dev", EVENT_DEV))],
  },
  {
    kind: EventKind.VuPop,
    name: "vu_pop",
    aliases: ["pop"],
    distinct: false,
    fields: [
      u64("elem", EVENT_A0),
      u32("head", EVENT_HEAD),
      u32("out", EVENT_N),
      u32("in", EVENT_LEN),
    ],
  },
  {
    kind: EventKind.VuFill,
    name: "vu_fill",
    aliases: ["used"],
    distinct: false,
    fields: [
      u64("dev", EVENT_DEV),
      u64("vq", EVENT_VQ),
      optional(u64("q0", EVENT_Q0)),
      optional(u32("num", EVENT_NUM)),
      u32("head", EVENT_HEAD),
      u32("len", EVENT_LEN),
      u16("idx", EVENT_IDX),
      u64("logaddr", EVENT_LOGADDR),
      u16("flags", EVENT_UFLAGS),
      called(u64("feat", EVENT_FEAT), "features"),
      ...log,
    ],
  },
];
