/** Requests, one line each: in columns for people. */

import type { GpaRange } from "../../model/pages.ts";
import { formatPlace } from "../../model/place.ts";
import type { RequestRecord } from "../../model/told.ts";
import { seconds } from "./number-text.ts";
import { printable } from "./text-layout.ts";

/** Headings of `requestText`. */
export const REQUEST_HEADING =
  "serial        popped          used  dev queue   head  state         capture  " +
  "reads    bytes  writes    bytes  written  place\n";

/** One request in aligned columns, ending in a line feed; `-` stands for what was not seen. */
export function requestText(request: RequestRecord): string {
  const capture = request.captured === null ? "-" : request.captured ? "yes" : "no";
  const place = request.used?.place ?? request.popped?.place;
  const cells = [
    `${request.serial}`.padStart(6),
    (request.popped === null ? "-" : seconds(request.popped.ns)).padStart(12),
    (request.used === null ? "-" : seconds(request.used.ns)).padStart(12),
    `${request.device}`.padStart(3),
    `${request.queue ?? "-"}`.padStart(5),
    `${request.head ?? "-"}`.padStart(5),
    request.state.padEnd(12),
    (request.freed ? "freed" : capture).padEnd(7),
    `${request.reads.length}`.padStart(5),
    `${bytesOf(request.reads)}`.padStart(7),
    `${request.writes.length}`.padStart(6),
    `${bytesOf(request.writes)}`.padStart(7),
    `${request.written ?? "-"}`.padStart(7),
    place === undefined ? "-" : printable(formatPlace(place)),
  ];
  const scsi = [
    request.lun === null ? "" : `lun ${request.lun}`,
    request.opcode === null ? "" : `op ${request.opcode}`,
    request.cdb === null ? "" : `cdb ${printable(request.cdb)}`,
    request.element === null ? "" : `elem ${request.element}`,
    request.addressed ? "" : "no addresses",
    request.machine > 1 ? `machine ${request.machine}` : "",
  ].filter((part) => part !== "");
  return `${[...cells, ...scsi].join("  ")}\n`;
}

function bytesOf(spans: readonly GpaRange[]): number {
  return spans.reduce((sum, span) => sum + span.len, 0);
}
