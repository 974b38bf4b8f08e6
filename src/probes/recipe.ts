/**
 * The probes of the recipe (docs/recording.md) as data: what each event is for, where it may be
 * put, and what it reads there. Event and field names are those of recording/probe-fields.ts.
 */

export const DRIVERS = ["scsi", "net", "vsock"] as const;
export type DriverName = (typeof DRIVERS)[number];

/** The module of each driver. */
export const DRIVER_MODULES: Record<DriverName, string> = {
  scsi: "vhost_scsi",
  net: "vhost_net",
  vsock: "vhost_vsock",
};

/** Every module that a probe of the recipe may lie in; what is built in is found in vmlinux. */
export const MODULES = [
  "vhost",
  "vhost_iotlb",
  "vhost_scsi",
  "vhost_net",
  "vhost_vsock",
  "tun",
  "tap",
  "af_packet",
  "target_core_mod",
] as const;

/** What a field reads at the probe. `parameter` is the name that the kernel's source gives it. */
export type Fetch =
  | { from: "parameter"; parameter: string }
  /** Of the structure that the parameter points to. */
  | { from: "member"; parameter: string; structure: string; member: string }
  /** Bytes behind the pointer that such a member is. */
  | { from: "behind"; parameter: string; structure: string; member: string; offset: number }
  /** Kernel memory, or user memory, that the parameter points to. */
  | { from: "memory" | "user"; parameter: string; offset: number }
  | { from: "return" };

export interface Field {
  name: string;
  fetch: Fetch;
  /** Type in the register form (Documentation/trace/kprobetrace.rst); its width is checked. */
  type: string;
  /** Type in the member-name form; null leaves it to the kernel. */
  named: string | null;
  /** Only in the member-name form: entry arguments in a return probe. */
  onlyNamed?: true;
}

/** One function under which an event is recorded. */
export interface Point {
  function: string;
  module: string;
  fields: Field[];
}

export interface Probe {
  event: string;
  /** `return64` keeps 64 calls in flight (maxactive), `return` the kernel's default. */
  kind: "entry" | "return" | "return64";
  drivers: readonly DriverName[];
  /** Each inner list: the first point that this kernel has is taken. */
  points: Point[][];
  /** What the verdict loses without it: ends "without `event`: …". */
  without: string;
  /** Only with --requests. */
  requests?: true;
}

const parameter = (name: string, of: string, type: string, named: string | null = null): Field => ({
  name,
  fetch: { from: "parameter", parameter: of },
  type,
  named,
});

const member = (
  name: string,
  [of, structure, wanted]: readonly [parameter: string, structure: string, member: string],
  type: string,
  named: string | null = null,
): Field => ({
  name,
  fetch: { from: "member", parameter: of, structure, member: wanted },
  type,
  named,
});

const inQueue = (name: string, wanted: string, type: string, named: string | null = null): Field =>
  member(name, ["vq", "vhost_virtqueue", wanted], type, named);

const pointed = (
  name: string,
  from: "memory" | "user",
  of: string,
  offset: number,
  type: string,
): Field => ({ name, fetch: { from, parameter: of, offset }, type, named: type });

const queuePointer = (name: string, offset: number): Field => ({
  name,
  fetch: { from: "behind", parameter: "dev", structure: "vhost_dev", member: "vqs", offset },
  type: "x64",
  named: "x64",
});

const result = (type: string, named: string | null = null): Field => ({
  name: "ret",
  fetch: { from: "return" },
  type,
  named,
});

const VQ = parameter("vq", "vq", "x64");
const NUM = inQueue("num", "num", "u32");
const UFLAGS = inQueue("uflags", "used_flags", "x16", "x16");
const LOG = [inQueue("logused", "log_used", "u8"), inQueue("logaddr", "log_addr", "x64", "x64")];
const FEAT = inQueue("feat", "acked_features", "x64", "x64");

const IOCTL: readonly (readonly [DriverName, string])[] = [
  ["scsi", "vhost_scsi_ioctl"],
  ["net", "vhost_net_ioctl"],
  ["vsock", "vhost_vsock_dev_ioctl"],
];

const IOCTL_FIELDS: Field[] = [
  parameter("file", "f", "x64"),
  parameter("cmd", "ioctl", "x32", "x32"),
  member("vs", ["f", "file", "private_data"], "x64", "x64"),
  parameter("arg", "arg", "x64"),
  ...[0, 8, 16, 24, 32].map((offset, n) => pointed(`a${n}`, "user", "arg", offset, "x64")),
];

const USED: Field[] = [
  VQ,
  member("head", ["heads", "vring_used_elem", "id"], "u32"),
  member("len", ["heads", "vring_used_elem", "len"], "u32"),
  parameter("n", "count", "u32"),
  inQueue("idx", "last_used_idx", "u16"),
  NUM,
  ...LOG,
  FEAT,
];

/** With the number of chains of each batch, for VIRTIO_F_IN_ORDER (in 7.2, not in 6.16). */
const USED_IN_ORDER: Field[] = [
  ...USED,
  parameter("nheads", "nheads", "x64", "x64"),
  pointed("nh0", "memory", "nheads", 0, "u16"),
  pointed("nh1", "memory", "nheads", 2, "u16"),
];

const POP: Field[] = [
  {
    name: "vq",
    fetch: { from: "parameter", parameter: "vq" },
    type: "x64",
    named: null,
    onlyNamed: true,
  },
  { name: "head", fetch: { from: "return" }, type: "s32", named: null },
];

const SOCKETS = [
  ["tun", "tun_recvmsg", "total_len"],
  ["tap", "tap_recvmsg", "total_len"],
  ["af_packet", "packet_recvmsg", "len"],
] as const;

const vhost = (name: string, fields: Field[]): Point => ({
  function: name,
  module: "vhost",
  fields,
});

const ALL: readonly DriverName[] = DRIVERS;
const PACKETS: readonly DriverName[] = ["net", "vsock"];

/** In the order in which they are defined: control plane, per drain, per descriptor and request. */
export const RECIPE: readonly Probe[] = [
  ...IOCTL.flatMap(([driver, name]): Probe[] => {
    const module = DRIVER_MODULES[driver];
    return [
      {
        event: "ioctl",
        kind: "entry",
        drivers: [driver],
        points: [[{ function: name, module, fields: IOCTL_FIELDS }]],
        without:
          "toggles of LOG_ALL are not seen, nor which log entries they free; only the state at each drain",
      },
      {
        event: "ioctl_ret",
        kind: "return",
        drivers: [driver],
        points: [[{ function: name, module, fields: [result("s64")] }]],
        without: "whether an ioctl succeeded is not seen, so none is applied",
      },
    ];
  }),
  {
    event: "mem",
    kind: "entry",
    drivers: ALL,
    points: [
      [
        {
          function: "vhost_iotlb_add_range",
          module: "vhost_iotlb",
          fields: [
            parameter("iotlb", "iotlb", "x64"),
            parameter("start", "start", "x64", "x64"),
            parameter("last", "last", "x64", "x64"),
            parameter("addr", "addr", "x64", "x64"),
            parameter("perm", "perm", "u32"),
          ],
        },
      ],
    ],
    without:
      "the guest's memory map is not known: `log` needs --log-size; the verdict does not need it",
  },
  {
    event: "drain",
    kind: "entry",
    drivers: ALL,
    points: [
      [
        vhost("vhost_disable_notify", [
          VQ,
          NUM,
          inQueue("avail", "last_avail_idx", "u16"),
          inQueue("used", "last_used_idx", "u16"),
          UFLAGS,
          ...LOG,
          FEAT,
          inQueue("logbase", "log_base", "x64", "x64"),
          parameter("dev", "dev", "x64"),
          queuePointer("q0", 0),
          queuePointer("q1", 8),
        ]),
      ],
    ],
    without: "no queue numbers, and whether descriptors were captured for the log is not seen",
  },
  {
    event: "rearm",
    kind: "entry",
    drivers: ALL,
    points: [
      [
        vhost("vhost_enable_notify", [
          VQ,
          NUM,
          inQueue("avail", "last_avail_idx", "u16"),
          UFLAGS,
          ...LOG,
          FEAT,
        ]),
      ],
    ],
    without: "writes to avail_event are missing from the used ring",
  },
  {
    event: "uflags",
    kind: "entry",
    drivers: ALL,
    points: [[vhost("vhost_update_used_flags", [VQ, UFLAGS, ...LOG])]],
    without: "writes to the used ring's flags are missing",
  },
  {
    event: "desc",
    kind: "entry",
    drivers: ALL,
    points: [
      [
        vhost("translate_desc", [
          VQ,
          parameter("gpa", "addr", "x64", "x64"),
          parameter("len", "len", "u32"),
          parameter("iov", "iov", "x64"),
          parameter("acc", "access", "u8"),
        ]),
      ],
    ],
    without: "used ring only; no verdict on the pages that requests write",
  },
  {
    event: "pop",
    kind: "return64",
    drivers: ["scsi"],
    points: [[vhost("vhost_get_vq_desc", POP)]],
    without: "descriptors belong to no request: used ring only",
  },
  {
    event: "pop",
    kind: "return64",
    drivers: PACKETS,
    // vhost-net calls the function with _n directly, the other drivers through the one without.
    points: [[vhost("vhost_get_vq_desc_n", POP), vhost("vhost_get_vq_desc", POP)]],
    without: "descriptors belong to no request: used ring only",
  },
  {
    event: "giveback",
    kind: "entry",
    drivers: PACKETS,
    points: [
      [
        vhost("vhost_discard_vq_desc", [VQ, parameter("n", "nbufs", "s32")]),
        vhost("vhost_discard_vq_desc", [VQ, parameter("n", "n", "s32")]),
      ],
    ],
    without: "chains that vhost-net gives back stay with the next packet: no verdict on its data",
  },
  ...SOCKETS.flatMap(([module, name, length]): Probe[] => [
    {
      event: "rx",
      kind: "entry",
      drivers: ["net"],
      points: [
        [
          {
            function: name,
            module,
            fields: [
              parameter("len", length, "u64", "u64"),
              parameter("flags", "flags", "x32", "x32"),
            ],
          },
        ],
      ],
      without: "lengths of packets that arrive through it are not seen: no verdict on their data",
    },
    {
      event: "rx_ret",
      kind: "return64",
      drivers: ["net"],
      points: [[{ function: name, module, fields: [result("s32", "s32")] }]],
      without: "whether packets arrived through it is not seen: no verdict on their data",
    },
  ]),
  {
    event: "used",
    kind: "entry",
    drivers: ["scsi"],
    points: [[vhost("vhost_add_used_n", USED)]],
    without: "no completions: no verdict at all",
  },
  {
    event: "used",
    kind: "entry",
    drivers: PACKETS,
    points: [[vhost("vhost_add_used_n", USED_IN_ORDER), vhost("vhost_add_used_n", USED)]],
    without: "no completions: no verdict at all",
  },
  {
    event: "cdb",
    kind: "entry",
    drivers: ["scsi"],
    requests: true,
    points: [
      [
        {
          function: "target_submit_prep",
          module: "target_core_mod",
          fields: [
            parameter("cmd", "se_cmd", "x64"),
            member("lun", ["se_cmd", "se_cmd", "orig_fe_lun"], "u64"),
            member("dlen", ["se_cmd", "se_cmd", "data_length"], "u32"),
            pointed("c0", "memory", "cdb", 0, "x64"),
            pointed("c1", "memory", "cdb", 8, "x64"),
          ],
        },
      ],
    ],
    without: "requests have no LUN and CDB; the verdict does not need them",
  },
];

/**
 * The probes for some drivers. Where vhost-scsi and a packet driver differ in one event, the form
 * of the packet drivers is taken: it sees vhost-scsi too.
 */
export function probesFor(drivers: readonly DriverName[], requests: boolean): Probe[] {
  const packets = drivers.some((driver) => PACKETS.includes(driver));
  return RECIPE.filter((probe) => {
    if (probe.requests && !requests) return false;
    if (!probe.drivers.some((driver) => drivers.includes(driver))) return false;
    const replaced = probe.event === "pop" || probe.event === "used";
    return !(packets && replaced && !probe.drivers.includes("net"));
  });
}
