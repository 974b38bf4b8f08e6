/**
 * What uprobes cost a back end in user space, from its own recording: how many hits a request takes, and how
 * long one takes. Between two descriptors of a chain a back end does next to nothing, so the time between
 * their events is that of a hit: a breakpoint, the arguments, a single step.
 */

/** Events of one descriptor, and those that end a request. */
const DESCRIPTOR = new Set(["vu_gpa", "spdk_desc"]);
const DONE = new Set(["vu_fill", "spdk_used"]);
/** `comm-PID [CPU] flags SECONDS: event: (address) …`; a return is a hit like any other. */
const LINE = /-(\d+) +\[\d+\] +\S+ +(\d+)\.(\d{6}): (\w+): \(0x/;

/** Lines of a recording that are looked at. */
const MOST_LINES = 100_000;

export interface BackEndCost {
  requests: number;
  /** Hits of all probes a request. */
  hits: number;
  /** Microseconds a hit, the median; null: no chain has two descriptors. */
  microseconds: number | null;
}

/** Of the text of tracefs, or its beginning. Null: no request ends in it. */
export function backEndCost(text: string): BackEndCost | null {
  const before = new Map<string, number>();
  const between: number[] = [];
  let hits = 0;
  let requests = 0;
  for (const line of text.split("\n", MOST_LINES)) {
    const match = LINE.exec(line.slice(0, 256));
    if (!match) continue;
    const [, pid, seconds, micro, event] = match as unknown as [
      string,
      string,
      string,
      string,
      string,
    ];
    hits++;
    if (DONE.has(event)) requests++;
    const at = Number(seconds) * 1e6 + Number(micro);
    const last = before.get(pid);
    if (DESCRIPTOR.has(event)) {
      if (last !== undefined && at >= last) between.push(at - last);
      before.set(pid, at);
    } else before.delete(pid);
  }
  if (requests === 0) return null;
  between.sort((a, b) => a - b);
  return {
    ...{ requests, hits: hits / requests },
    microseconds: between[between.length >> 1] ?? null,
  };
}

/** The same in one line. */
export function backEndCostText({ requests, hits, microseconds }: BackEndCost): string {
  const many = `${hits.toFixed(1)} hits of the probes a request (of ${requests})`;
  if (microseconds === null) return `cost: ${many}`;
  const all = Math.round(hits * microseconds);
  return `cost: ${many}, about ${microseconds} us each: about ${all} us of the back end's CPU a request`;
}
