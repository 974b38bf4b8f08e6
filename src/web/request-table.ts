/** Requests as rows of a table: filtered by number, made into words only where they are seen. */
import { placeText, REQUEST_STATES } from "../history/index.ts";
import { causeText } from "../report/text/cause-text.ts";
import { queueLabel } from "../report/text/queue-text.ts";
import type { Case } from "./case.ts";
import { timeText } from "./page-life.ts";
import type { RequestFilter, RequestRow } from "./protocol.ts";

/** Positions of the requests that fit. */
export function filterRequests({ machine }: Case, filter: RequestFilter): Uint32Array {
  const requests = machine.table("requests");
  const serials = filter.page === null ? null : writersOf(machine, filter.page);
  const found = new Uint32Array(requests.length);
  let count = 0;
  for (let i = 0; i < requests.length; i++) {
    if (filter.queue !== null && requests.queue[i] !== filter.queue) continue;
    if (filter.state !== null && requests.state[i] !== filter.state) continue;
    if (serials && !serials.has(requests.serial[i]!)) continue;
    const popped = requests.popStream[i]! >= 0 ? requests.popNs[i]! : requests.usedNs[i]!;
    const ended = requests.usedStream[i]! >= 0 ? requests.usedNs[i]! : Number.POSITIVE_INFINITY;
    if (filter.from !== null && ended < filter.from) continue;
    if (filter.to !== null && popped > filter.to) continue;
    found[count++] = i;
  }
  return found.slice(0, count);
}

/** Serials of the requests that wrote a page. */
function writersOf(machine: Case["machine"], page: number): Set<number> {
  const writes = machine.table("writes");
  const serials = new Set<number>();
  for (let i = 0; i < writes.length; i++) {
    if (page >= writes.page[i]! && page < writes.page[i]! + writes.pages[i]!) {
      serials.add(writes.request[i]!);
    }
  }
  return serials;
}

export function requestRow(one: Case, i: number): RequestRow {
  const { history, machine } = one;
  const requests = machine.table("requests");
  const queue = machine.queues[requests.queue[i]!];
  const popSeen = requests.popStream[i]! >= 0;
  const usedSeen = requests.usedStream[i]! >= 0;
  const cause = history.causes[requests.cause[i]!];
  const place = usedSeen
    ? placeText(history.streams, requests.usedStream[i]!, requests.usedPlace[i]!)
    : popSeen
      ? placeText(history.streams, requests.popStream[i]!, requests.popPlace[i]!)
      : null;
  return {
    serial: requests.serial[i]!,
    queue: queue ? queueLabel(machine.result.devices, queue.device, queue.index) : "",
    head: requests.head[i]! < 0 ? "" : `${requests.head[i]}`,
    popped: popSeen ? timeText(one, requests.popNs[i]!) : "not seen",
    completed: usedSeen ? timeText(one, requests.usedNs[i]!) : "",
    micros:
      popSeen && usedSeen ? ((requests.usedNs[i]! - requests.popNs[i]!) / 1000).toFixed(0) : "",
    state: REQUEST_STATES[requests.state[i]!] ?? "",
    cause: cause ? causeText(cause.name) : "",
    written: `${requests.writeBytes[i]}`,
    read: `${requests.readBytes[i]}`,
    place: place ?? "",
  };
}
