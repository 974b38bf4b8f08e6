/** `info` for people: what is in a recording, and what it is good for. */

import { formatPlace } from "../../model/place.ts";
import type {
  DeviceSummary,
  InputSummary,
  MachineResult,
  QueueSummary,
  ReplayResult,
} from "../../model/result.ts";
import { RING_PACKED } from "../../vhost/message.ts";
import { inputLine } from "./input-text.ts";
import { limitsText, sufficiencyText } from "./limits-text.ts";
import { machineLabel, machineLine } from "./machine-text.ts";
import { byteSize, countOf, hex, listOf, seconds } from "./number-text.ts";
import { queueName } from "./queue-text.ts";
import { alignColumns, printable, sectionsText, type TextStyle, wrapText } from "./text-layout.ts";

const SHOWN = 12;

/** The whole answer, ending in a line feed. */
export function infoText(result: ReplayResult, style: TextStyle): string {
  const [only, ...others] = result.machines;
  const alone = only !== undefined && others.length === 0;
  return sectionsText([
    ...result.inputs.map((input) => inputText(input, style)),
    ...(alone ? [machineLine(only)] : []),
    ...result.machines.flatMap((machine) => [
      alone ? [] : [style.bold(`== ${machineLabel(machine)}`)],
      ...machine.devices.map((device) => deviceText(device, style)),
      syncText(machine, style),
      sufficiencyText(machine.sufficiency, style),
      limitsText(machine.limits, style),
    ]),
  ]);
}

function inputText(input: InputSummary, style: TextStyle): string[] {
  const [first, ...rest] = inputLine(input);
  const lines = [style.bold(first ?? ""), ...rest];
  if (input.size !== null) lines.push(`  ${byteSize(input.size)} as given`);
  if (input.events.length > 0) {
    const rows = input.events.map((event) => [
      `${event.count}`,
      printable(event.name),
      event.kind === null ? "not understood" : event.kind === event.name ? "" : event.kind,
    ]);
    lines.push("", ...alignColumns([["events", "name", "read as"], ...rows], "rll").map(indent));
  }
  if (input.foreignLines > 0)
    lines.push(`  ${countOf(input.foreignLines, "line")} without an event`);
  if (input.outOfOrder > 0) lines.push(`  ${countOf(input.outOfOrder, "event")} out of time order`);
  for (const gap of input.gaps.slice(0, SHOWN)) {
    const lost = gap.lost === null ? "an unknown number of events" : countOf(gap.lost, "event");
    const cpu = gap.cpu === null ? "" : ` on CPU ${gap.cpu}`;
    lines.push(`  lost: ${lost}${cpu}  ${printable(formatPlace(gap.place))}`);
  }
  if (input.gaps.length > SHOWN) {
    lines.push(`  and ${countOf(input.gaps.length - SHOWN, "more gap")}`);
  }
  return lines;
}

function deviceText(device: DeviceSummary, style: TextStyle): string[] {
  const facts = [
    ["dev", device.dev],
    ["private data", device.vs],
    ["features", device.features],
  ].flatMap(([name, value]) => (value ? [`${name} ${value}`] : []));
  const lines = [style.bold(`Device ${device.number}: ${device.driver}`)];
  if (facts.length > 0) lines.push(...wrapText(facts.join(", "), "  ", "  "));
  lines.push("", ...queueTable(device));
  lines.push("", ...memoryText(device));
  lines.push("", ...loggingText(device));
  return lines;
}

function queueTable({ driver, queues, features }: DeviceSummary): string[] {
  if (queues.length === 0) return ["  no queue was seen"];
  const rows = queues.map((queue) => [
    queueName(driver, queue.index),
    `${queue.num}`,
    queue.used === null ? "unknown" : hex(queue.used),
    `${queue.popped}`,
    `${queue.completed}`,
    `${queue.inFlightAtEnd}`,
    queueRest(queue),
  ]);
  // The log address of a packed ring need not be where it lies.
  const packed = features !== null && (BigInt(features) & RING_PACKED) !== 0n;
  const ring = packed ? "log address" : "used ring";
  const head = ["queue", "size", ring, "popped", "completed", "in flight", ""];
  return alignColumns([head, ...rows], "lrrrrrl").map(indent);
}

function queueRest(queue: QueueSummary): string {
  const parts = [
    [queue.unknownHead, "unknown head"],
    [queue.rejected, "rejected"],
    [queue.dropped, "dropped"],
    [queue.lostCompletions, "completions lost"],
  ] as const;
  return parts.flatMap(([count, what]) => (count > 0 ? [`${count} ${what}`] : [])).join(", ");
}

function memoryText(device: DeviceSummary): string[] {
  if (device.memory.length === 0) return ["  memory map: not in the recording"];
  const rows = device.memory.map((region) => [
    `${hex(region.first)}-${hex(region.last)}`,
    byteSize(region.last - region.first + 1),
    `at ${region.hva}`,
  ]);
  return ["  memory map", ...alignColumns(rows, "lrl").map((line) => `    ${line}`)];
}

function loggingText(device: DeviceSummary): string[] {
  if (device.logging.length === 0) return ["  logging: no change in the recording"];
  const some = device.logging.slice(0, SHOWN);
  const rows = some.map((change) => [
    seconds(change.ns),
    printable(change.what),
    printable(formatPlace(change.place)),
  ]);
  const lines = ["  logging", ...alignColumns(rows, "rll").map((line) => `    ${line}`)];
  const rest = device.logging.length - some.length;
  if (rest > 0) lines.push(`    and ${countOf(rest, "more change")}`);
  return lines;
}

function syncText(result: MachineResult, style: TextStyle): string[] {
  const syncs = result.rounds.flatMap((round) => (round.sync === null ? [] : [round.sync]));
  if (syncs.length === 0) return [style.bold("No sync: the whole recording is one round")];
  const names = syncs
    .slice(0, SHOWN)
    .map((sync) => `${sync.number} ${printable(sync.name)}`.trim());
  const rest = syncs.length - names.length;
  if (rest > 0) names.push(`${rest} more`);
  return [style.bold(countOf(syncs.length, "sync")), "", ...wrapText(listOf(names), "  ", "  ")];
}

function indent(line: string): string {
  return `  ${line}`;
}
