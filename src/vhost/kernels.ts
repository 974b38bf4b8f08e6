/**
 * Kernels as rows, and versions of the series. From them follow which row a version has
 * (versions.ts), the table of docs/model.md, and the kernel that `npm run conformance` compares with.
 * Which tree took which change: the commits' own stable trailers, CVE records and changelogs.
 */
import { type Kernel, kernelRow } from "./kernel-row.ts";
import { NO_PATCHES, type Series } from "./series.ts";

const FIX_1: Series = { ...NO_PATCHES, patches: [1] };
const FIXES: Series = { ...NO_PATCHES, patches: [1, 2, 3], mapError: "errno" };
const MERGED: Series = {
  ...FIXES,
  patches: [1, 2, 3, 4, 5, 6, 7, 8, 9],
  buffers: "lazy",
};
const CHECKED: Series = { ...MERGED, ebusy: true, piCheck: true };
const IN_ORDER: Series = { ...CHECKED, flush: true, inOrderRange: true };
const V2: Series = { ...MERGED, buffers: "toggle", patches: [...MERGED.patches, 10] };
const V1: Series = {
  ...MERGED,
  patches: [1, 2, 4, 5, 6, 7, 8, 9],
  mapError: "bad-target",
  freeOnOff: false,
  buffers: "setup",
};

const LOCKING =
  "f591cf9fce72 (CVE-2025-38074) changes locking only: no byte and no bit while logging is on";
const NET =
  "vhost-net logs received packets by length, vhost-vsock never logs what it receives (net.c, vsock.c)";
const FLUSH =
  "22598f55a4c2 (CVE-2026-93782) flushes in device ioctls: completions move, what is logged does not";

/** In the order in which they came; versions of the series after them. */
export const KERNELS: readonly Kernel[] = [
  kernelRow({
    name: "linux-6.1",
    aliases: ["unpatched"],
    title: "vhost-scsi before 6.16: logs the used ring, never a write descriptor",
    series: NO_PATCHES,
    mainline: [3, 6],
    read: [
      "drivers/vhost/scsi.c of 6.1 calls vhost_get_vq_desc() with no log array",
      "patch 1 changes no bit of the log, so what was measured of 6.1.146 and later holds here",
      NET,
    ],
  }),
  kernelRow({
    name: "linux-6.1.146",
    title: "6.1.146 to 6.1.188, 5.10.240, 5.15.189: as 6.1, with patch 1",
    series: FIX_1,
    trees: [
      ["5.10", 240],
      ["5.15", 189],
      ["6.1", 146],
    ],
    measured: ["6.1.176"],
    read: [LOCKING, "vhost_scsi_ioctl() of 6.1.176 has no flush (Debian's module disassembled)"],
  }),
  kernelRow({
    name: "linux-6.1.189",
    title: "6.1.189 and later: patch 1, and device ioctls wait for requests in flight",
    series: { ...FIX_1, flush: true },
    trees: [["6.1", 189]],
    read: ["22598f55a4c2 is in 6.1.189 (CVE-2026-93782); scsi.c of 6.1.192", LOCKING],
  }),
  kernelRow({
    name: "linux-6.6",
    title: "6.6 before .93: as 6.1",
    series: NO_PATCHES,
    mainline: [6, 6],
    read: ["no change to the logging of drivers/vhost between 6.1 and 6.6"],
  }),
  kernelRow({
    name: "linux-6.6.93",
    title: "6.6.93 and later: as 6.6, with patch 1",
    series: FIX_1,
    trees: [["6.6", 93]],
    read: [LOCKING],
  }),
  kernelRow({
    name: "linux-6.12",
    title: "6.12 before .26, 6.13, 6.14 before .5: as 6.1",
    series: NO_PATCHES,
    mainline: [6, 12],
    read: ["patches 2 and 3 came to 6.12.26 and 6.14.5"],
  }),
  kernelRow({
    name: "linux-6.12.26",
    title: "6.12.26 to .30, 6.14.5 to .8: patches 2 and 3, no descriptor is logged",
    series: { ...FIXES, patches: [2, 3] },
    trees: [
      ["6.12", 26],
      ["6.14", 5],
    ],
    read: ["stable review of 29 April 2025: b18268713547, 58465d86071b with 3ca51662f818"],
  }),
  kernelRow({
    name: "linux-6.12.31",
    title: "6.12.31 to .110, 6.14.9: patches 1 to 3, no descriptor is logged",
    series: FIXES,
    trees: [
      ["6.12", 31],
      ["6.14", 9],
    ],
    read: ["scsi.c of 6.12.107: fixes without logging, no flush in device ioctls", LOCKING],
  }),
  kernelRow({
    name: "linux-6.12.111",
    title: "6.12.111 and later: patches 1 to 3, and device ioctls wait for requests in flight",
    series: { ...FIXES, flush: true },
    trees: [["6.12", 111]],
    measured: ["6.12.117"],
    read: [
      "Debian's changelog of 6.12.111: vhost-scsi: flush backend after device ioctls",
      "SET_LOG_BASE took 1.9 s on 6.12.117 while reads of 2 s were in flight",
      FLUSH,
    ],
  }),
  kernelRow({
    name: "linux-6.15",
    title: "6.15: patches 1 to 3, no descriptor is logged",
    series: FIXES,
    mainline: [6, 15],
    read: ["f591cf9fce72, b18268713547, 58465d86071b (v6.15)"],
  }),
  kernelRow({
    name: "linux-6.16",
    aliases: ["patched"],
    title: "vhost-scsi 6.16 and 6.17: also every write descriptor, captured at pop",
    series: MERGED,
    mainline: [6, 16],
    measured: ["6.16.12"],
    read: ["41cff026cff5, e5e6b15b0dad, c2c5c259aad6, a94c96a352b5, ac9dcca23615 (v6.16)", NET],
  }),
  kernelRow({
    name: "linux-6.18",
    title: "6.18 before .45, 6.19 to 7.1: logs as 6.16",
    series: MERGED,
    mainline: [6, 18],
    measured: ["6.18.15"],
    read: ["SET_LOG_BASE of 6.18.15 does not wait: 0.2 ms while reads of 2 s were in flight"],
  }),
  kernelRow({
    name: "linux-7.1.9",
    title: "6.18.45, 7.1.9 and later: as 6.16, feature changes and T10-PI counts are checked",
    series: CHECKED,
    trees: [
      ["6.18", 45],
      ["7.1", 9],
    ],
    read: ["42bc45df5905 (CVE-2026-74702), d876c493fc4b (CVE-2026-74703)"],
  }),
  kernelRow({
    name: "linux-7.2",
    title: "vhost-scsi 7.2: as 6.16, and SET_LOG_BASE waits for requests in flight",
    series: IN_ORDER,
    mainline: [7, 2],
    measured: ["7.2.13"],
    read: [
      FLUSH,
      "VIRTIO_F_IN_ORDER in vhost-net: a wrong range of the used ring is logged (vhost.c)",
    ],
  }),
  kernelRow({
    name: "linux-7.3",
    title: "7.3: logs as 7.2",
    series: IN_ORDER,
    mainline: [7, 3],
    measured: ["7.3.4"],
    read: ["the functions of 7.3.4 that log are those of 7.2; vhost_scsi_ioctl() flushes twice"],
  }),
  kernelRow({
    name: "series-v1",
    title: "v1 of the series (February 2025): entries survive a toggle of LOG_ALL",
    series: V1,
    note: "where the log buffer of a LUN RESET cannot be allocated, its response is not logged",
    read: [
      "patches of v1 read: buffers allocated in SET_ENDPOINT, untouched when LOG_ALL goes off",
    ],
  }),
  kernelRow({
    name: "series-v2",
    title: "v2 of the series (March 2025): logs as 6.16, with the warning of patch 10",
    series: V2,
    note: "SET_FEATURES fails with ENOMEM where the log buffers cannot be allocated",
    read: ["patches of v2 read: buffers allocated in SET_FEATURES, freed when LOG_ALL goes off"],
  }),
];
