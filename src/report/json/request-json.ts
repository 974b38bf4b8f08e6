/** Requests as NDJSON lines. Schema: schema/requests.schema.json. */

import type { GpaRange } from "../../model/pages.ts";
import { formatPlace } from "../../model/place.ts";
import type { RequestRecord } from "../../model/told.ts";
import { hex } from "../text/number-text.ts";
import { jsonText } from "./json-text.ts";
import type { KeysOf } from "./result-json.ts";

/** One request as a JSON object on one line; keys in the order of schema/requests. */
export function requestJsonLine(request: RequestRecord): string {
  const { popped, used } = request;
  return `${jsonText({
    machine: request.machine,
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
    written: request.written,
  } satisfies KeysOf<RequestRecord, keyof ReturnType<typeof elementJson>>)}\n`;
}

/** What only an element of a device of QEMU has. */
function elementJson(request: RequestRecord) {
  const { element, addressed, tag, opcode, response, status } = request;
  return { element, addressed, tag, opcode, response, status };
}

function spanJson(span: GpaRange) {
  return { gpa: hex(span.gpa), len: span.len };
}
