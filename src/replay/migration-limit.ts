/** What a recording of QEMU, or of a migration, cannot tell: more of the limits of limit.ts. */
import { RowSet } from "../../assembly/page-abi.ts";
import type { Queue } from "../core/queue-record.ts";
import { counted } from "../model/counted.ts";
import type { Limit } from "../model/result.ts";
import type { MachineReplay } from "./machine-replay.ts";
import { sharedChunks } from "./migration/log-chunk.ts";

type Add = (code: string, effect: Limit["effect"], text: string, places?: Limit["places"]) => void;

/** Adds the limits that apply. */
export function migrationLimits(run: MachineReplay, queues: readonly Queue[], add: Add): void {
  elementLimits(queues, add);
  sendLimits(run, add);
  mapLimits(run, add);
}

function elementLimits(queues: readonly Queue[], add: Add): void {
  const unmapped = queues.reduce((sum, queue) => sum + queue.unmapped, 0);
  const misfit = queues.reduce((sum, queue) => sum + queue.misfit, 0);
  if (unmapped > misfit) {
    add(
      "no-addresses",
      "more",
      `${counted(unmapped - misfit, "element")} of QEMU's devices without address_space_map events: where they ` +
        "lie in guest memory is not known (QEMU before 10.0 has no such event).",
    );
  }
  if (misfit > 0) {
    add(
      "mappings-misfit",
      "more",
      `${counted(misfit, "element")} whose last mappings do not fit their direction: mappings of several ` +
        "threads are mixed, and where these elements wrote is not known.",
    );
  }
}

function sendLimits(run: MachineReplay, add: Add): void {
  const told = run.follower.migrations.filter((migration) => migration.verdicts.length > 0);
  const sources = new Set(told.map((migration) => migration.sendTimes));
  const unseen = told
    .filter(({ sendTimes }) => sendTimes !== "none" && sendTimes !== "packets")
    .map(({ zeroResendsAtMost }) => zeroResendsAtMost);
  if (unseen.some((most) => most !== 0)) {
    const most = unseen.includes(null) ? null : Math.max(...unseen.map(Number));
    add(
      "zero-pages-unseen",
      "fewer",
      "A page of zeros is sent unseen at the source, so no page is certainly stale: one that was sent again as " +
        `zeros counts as likely stale${most === null ? "" : `, at most ${most} of these pages`} (the ` +
        "destination's recording shows it).",
    );
  }
  if (sources.has("packets") || (sources.has("none") && run.core.exports.sentUnseen())) {
    add(
      "multifd-sends",
      "both",
      "The channels of multifd send pages that no event names: when the first pass sent a page is told by " +
        "the packets, where they are recorded whole, and of later passes nothing is known. No page is " +
        "certainly stale.",
    );
  } else if (told.some(({ from, sendTimes }) => from === "qemu" && sendTimes === "none")) {
    add(
      "no-send-times",
      "fewer",
      "No page sends are recorded (ram_save_page): a page that was sent again after the write is not told " +
        "from a stale one. A guest with init_on_alloc, the default of many distributions, clears pages by " +
        "its CPU before data is read into them, so that most of them are sent again.",
    );
  }
  if (sources.has("destination")) {
    add(
      "arrival-times",
      "fewer",
      "Of page sends only the arrival at the destination is recorded: a write shortly before it may " +
        "or may not be part of what arrived.",
    );
  }
  if (run.core.exports.destinationDiffers()) {
    add(
      "destination-differs",
      "both",
      "The recording of the destination has other pages than the source sent: they are not of one " +
        "migration, or one of them lacks pages; pages of zeros are taken from it only up to there.",
    );
  }
  if (run.plan.zeros?.incomplete) {
    add(
      "zeros-incomplete",
      "fewer",
      "The list of zero pages of the destination is too long to keep whole.",
    );
  }
  const refused = run.core.exports.refusedEntries();
  if (refused > 0) {
    add(
      "stale-unattributed",
      null,
      `${counted(refused, "write")} found no room among the 262144 pages whose last write is kept: their ` +
        "pages count and are listed without it.",
    );
  }
}

function mapLimits(run: MachineReplay, add: Add): void {
  const assumed = [...run.follower.ram.placed].filter(([, placed]) => placed === "assumed");
  if (assumed.length > 0) {
    add(
      "ram-assumed",
      "both",
      "Where RAM lies is not in the recording: pages of pc.ram below 2 GiB are taken for guest pages of " +
        "the same number, others for none (give `info mtree -f` with --mtree).",
    );
  }
  if (run.follower.ram.refused > 0) {
    add(
      "memory-pieces",
      "both",
      `${counted(run.follower.ram.refused, "event")} of QEMU placed more pieces of memory than are kept (512 of each ` +
        "QEMU): which guest pages those are is not known.",
    );
  }
  const outside = run.follower.ram.outside(
    run.core.runs(0, RowSet.EverWritten, 100_000).runs,
    run.devices.map((device) => device.memory),
  );
  if (outside > 0) {
    add(
      "outside-memory",
      null,
      `${counted(outside, "page")} that a device wrote lie outside of every region of the guest's memory map.`,
    );
  }
  for (const { gpa, blocks } of sharedChunks(run.follower.ram.mtree)) {
    add(
      "shared-chunk",
      "fewer",
      `The 256 KiB at 0x${gpa.toString(16)} hold ${blocks[0]} and ${blocks[1]}: QEMU gives all log bits of ` +
        "such a chunk to the one that it syncs first, so pages of the other may be lost there.",
    );
  }
}
