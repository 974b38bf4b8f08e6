/**
 * Kernels and versions of the series as rows. Which tree took which change: the commits' own
 * stable trailers, CVE records and changelogs.
 */
import { type Policy, seriesPolicy } from "./policy-row.ts";
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

const FIX_1_EVIDENCE =
  "f591cf9fce72 (CVE-2025-38074) changes locking only: no byte and no bit while logging is on";
const NET_EVIDENCE =
  "vhost-net logs received packets by length, vhost-vsock never logs what it receives (net.c, vsock.c)";

/** In the order in which the kernels came; versions of the series after them. */
export const KERNELS: readonly Policy[] = [
  seriesPolicy(NO_PATCHES, {
    name: "linux-6.1",
    aliases: ["unpatched"],
    title: "vhost-scsi before 6.16: logs the used ring, never a write descriptor",
    evidence: [
      "drivers/vhost/scsi.c of 6.1 calls vhost_get_vq_desc() with no log array",
      "equal to the log that 6.1.176 wrote, bit for bit, at every sync (docs/evidence.md)",
      NET_EVIDENCE,
    ],
  }),
  seriesPolicy(FIX_1, {
    name: "linux-6.1.146",
    title: "6.1.146 to 6.1.188, 5.10.240, 5.15.189: as 6.1, with patch 1",
    evidence: [FIX_1_EVIDENCE, "what 6.1.176 wrote is equal to it at every sync"],
  }),
  seriesPolicy(
    { ...FIX_1, flush: true },
    {
      name: "linux-6.1.189",
      title: "6.1.189 and later: patch 1, and device ioctls wait for requests in flight",
      evidence: ["22598f55a4c2 is in 6.1.189 (CVE-2026-93782); 6.1.192 read", FIX_1_EVIDENCE],
    },
  ),
  seriesPolicy(NO_PATCHES, {
    name: "linux-6.6",
    title: "6.6 before .93: as 6.1",
    evidence: ["no change to the logging of drivers/vhost between 6.1 and 6.6"],
  }),
  seriesPolicy(FIX_1, {
    name: "linux-6.6.93",
    title: "6.6.93 and later: as 6.6, with patch 1",
    evidence: [FIX_1_EVIDENCE],
  }),
  seriesPolicy(NO_PATCHES, {
    name: "linux-6.12",
    title: "6.12 before .26, 6.13, 6.14 before .5: as 6.1",
    evidence: ["patches 2 and 3 came to 6.12.26 and 6.14.5"],
  }),
  seriesPolicy(
    { ...FIXES, patches: [2, 3] },
    {
      name: "linux-6.12.26",
      title: "6.12.26 to .30, 6.14.5 to .8: patches 2 and 3, no descriptor is logged",
      evidence: ["stable review of 29 April 2025: b18268713547, 58465d86071b with 3ca51662f818"],
    },
  ),
  seriesPolicy(FIXES, {
    name: "linux-6.12.31",
    title: "6.12.31 and later, 6.14.9: patches 1 to 3, no descriptor is logged",
    evidence: ["6.12.107 read: fixes without logging, no wait in device ioctls", FIX_1_EVIDENCE],
  }),
  seriesPolicy(FIXES, {
    name: "linux-6.15",
    title: "6.15: patches 1 to 3, no descriptor is logged",
    evidence: ["f591cf9fce72, b18268713547, 58465d86071b (v6.15)"],
  }),
  seriesPolicy(MERGED, {
    name: "linux-6.16",
    aliases: ["patched"],
    title: "vhost-scsi 6.16 to 7.1: also every write descriptor, captured at pop",
    evidence: [
      "41cff026cff5, e5e6b15b0dad, c2c5c259aad6, a94c96a352b5, ac9dcca23615 (v6.16)",
      "equal to the log that 6.16.12 wrote, bit for bit, at every sync (docs/evidence.md)",
      NET_EVIDENCE,
    ],
  }),
  seriesPolicy(CHECKED, {
    name: "linux-7.1.9",
    title: "6.18.45, 7.1.9 and later: as 6.16, feature changes and T10-PI counts are checked",
    evidence: ["42bc45df5905 (CVE-2026-74702), d876c493fc4b (CVE-2026-74703)"],
  }),
  seriesPolicy(IN_ORDER, {
    name: "linux-7.2",
    title: "vhost-scsi 7.2: as 6.16, and SET_LOG_BASE waits for requests in flight",
    evidence: [
      "22598f55a4c2 flushes after device ioctls: completions move, what is logged does not",
      "equal to the log that 7.2.13 wrote, bit for bit, at every sync (docs/evidence.md)",
      "VIRTIO_F_IN_ORDER in vhost-net: a wrong range of the used ring is logged (vhost.c)",
    ],
  }),
  seriesPolicy(IN_ORDER, {
    name: "linux-7.3",
    title: "7.3: logs as 7.2",
    evidence: ["7.3.4 read: the functions that log are those of 7.2"],
  }),
  seriesPolicy(V1, {
    name: "series-v1",
    title: "v1 of the series (February 2025): entries survive a toggle of LOG_ALL",
    note: "where the log buffer of a LUN RESET cannot be allocated, its response is not logged",
    evidence: [
      "patches of v1 read: buffers allocated in SET_ENDPOINT, untouched when LOG_ALL goes off",
    ],
  }),
  seriesPolicy(V2, {
    name: "series-v2",
    title: "v2 of the series (March 2025): logs as 6.16, with the warning of patch 10",
    note: "SET_FEATURES fails with ENOMEM where the log buffers cannot be allocated",
    evidence: [
      "patches of v2 read: buffers allocated in SET_FEATURES, freed when LOG_ALL goes off",
    ],
  }),
];
