/** Requests, one line each: columns for people, JSON for machines. */
import { formatPlace } from "../../model/place.ts";
import type { RequestRecord } from "../../model/result.ts";
import { hex, seconds } from "./number-text.ts";
import { printable } from "./text-layout.ts";

interface Span {
  gpa: number;
  len: number;
}

/** Headings of `requestText`. */
export const REQUEST_HEADING =
  "serial        popped          used  dev queue   head  state         capture  " +
  "reads    bytes  writes    bytes  place\n";

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
    place === undefined ? "-" : printable(formatPlace(place)),
  ];
  const scsi = [
    request.lun === null ? "" : `lun ${request.lun}`,
    request.opcode === null ? "" : `op ${request.opcode}`,
    request.cdb === null ? "" : `cdb ${printable(request.cdb)}`,
    request.element === null ? "" : `elem ${request.element}`,
    request.addressed ? "" : "no addresses",
  ].filter((part) => part !== "");
  return `${[...cells, ...scsi].join("  ")}\n`;
}

/** One request as a JSON object on one line; keys in the order of schema/requests. */
export function requestJsonLine(request: RequestRecord): string {
  const { popped, used } = request;
  return `${JSON.stringify({
    serial: request.serial,
    head: request.head,
    queue: request.queue,
    device: request.device,
    vq: request.vq,
    state: request.state,
    popped: popped === null ? null : { ns: popped.ns, place: formatPlace(popped.place) },
    used:
      used === null
        ? null
        : { ns: used.ns, place: formatPlace(used.place), len: used.len, idx: used.idx },
    captured: request.captured,
    freed: request.freed,
    cause: request.cause,
    lun: request.lun,
    cdb: request.cdb,
    ...(request.element === null ? {} : elementJson(request)),
    reads: request.reads.map(spanJson),
    writes: request.writes.map(spanJson),
  })}\n`;
}

/** What only an element of a device of QEMU has. */
function elementJson(request: RequestRecord) {
  const { element, addressed, tag, opcode, response, status } = request;
  return { element, addressed, tag, opcode, response, status };
}

function spanJson(span: Span) {
  return { gpa: hex(span.gpa), len: span.len };
}

function bytesOf(spans: readonly Span[]): number {
  return spans.reduce((sum, span) => sum + span.len, 0);
}
