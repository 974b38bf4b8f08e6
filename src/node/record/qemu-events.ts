/** Switches QEMU's trace events on for a recording, and back; saves what makes them readable. */

import { checkedAll } from "../../probes/outside-value.ts";
import { QEMU_EVENTS } from "../../qemu/events.ts";
import type { MonitorLine, Qmp } from "./qmp.ts";

/**
 * The events that are switched on: all that the replay reads, but for those that the table says would
 * cost a working guest too much.
 */
export const RECORDED_EVENTS: readonly string[] = QEMU_EVENTS.filter(
  ({ recorded }) => recorded,
).map(({ name }) => name);

const MONITOR: readonly (readonly [file: string, line: MonitorLine])[] = [
  ["qemu-mtree.txt", "info mtree -f"],
  ["qemu-ramblock.txt", "info ramblock"],
  ["qemu-pci.txt", "info pci"],
];

/** Those that this QEMU has and that are off: to be switched on, and off again afterwards. */
export async function eventsToSwitch(qmp: Qmp): Promise<string[]> {
  const off: string[] = [];
  for (const name of RECORDED_EVENTS) {
    if ((await eventState(qmp, name)) === "disabled") off.push(name);
  }
  return off;
}

/** Switches events on or off. */
export async function switchEvents(
  qmp: Qmp,
  names: readonly string[],
  enable: boolean,
): Promise<void> {
  for (const name of checkedAll("event of QEMU", names)) {
    await qmp.execute("trace-event-set-state", { name, enable, "ignore-unavailable": true });
  }
}

/** Null for an event that this QEMU does not have. */
async function eventState(qmp: Qmp, name: string): Promise<string | null> {
  try {
    const states = await qmp.execute("trace-event-get-state", { name });
    const [first] = Array.isArray(states) ? states : [];
    return typeof first?.state === "string" ? first.state : null;
  } catch (error) {
    if (error instanceof Error && /unknown event/.test(error.message)) return null;
    throw error;
  }
}

/** Name and contents of the files to save beside a recording (docs/recording.md). */
export async function describeQemu(qmp: Qmp): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
  files.set("qemu-version.json", json(await qmp.execute("query-version")));
  files.set("qemu-migrate.json", json(await qmp.execute("query-migrate")));
  for (const [file, line] of MONITOR) files.set(file, await qmp.monitor(line));
  return files;
}
