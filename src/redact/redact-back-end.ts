/**
 * Events of uprobes in a back end in user space after the redaction. As in redact-event.ts every field is
 * named here; the table for people is docs/redact.md.
 */
import type { BackEndEvent, MessageEvent } from "../model/event.ts";
import { messageName } from "../vhost/message.ts";
import type { Mapping } from "./mapping.ts";
import type { VringAddress } from "./ring-addresses.ts";

const hex = (value: bigint): string => `0x${BigInt.asUintN(64, value).toString(16)}`;
const ZERO = "0x0";

/** What every event has. */
interface Base {
  ts: string;
  cpu: number;
  pid: number;
}

/** Messages whose first words are numbers: features, a size, an index. */
const NUMBERS: Readonly<Record<string, number>> = {
  ...{ SET_FEATURES: 1, SET_LOG_BASE: 2, SET_VRING_NUM: 1, SET_VRING_BASE: 1 },
  ...{ GET_VRING_BASE: 1, SET_VRING_ENABLE: 1 },
};

/** Host addresses of a ring, moved as its pages do. */
export function ringWords(map: Mapping, ring: VringAddress): { desc: string; used: string } {
  return {
    desc: hex(map.host(ring.desc) + map.gpa(ring.ring) - ring.ring),
    used: hex(map.host(ring.used) + map.gpa(ring.event) - ring.event),
  };
}

/** `space`: number of the process whose addresses the recording has; `ring`: of a SET_VRING_ADDR. */
export function redactBackEnd(
  event: BackEndEvent,
  base: Base,
  map: Mapping,
  space: number,
  ring: VringAddress | null,
): BackEndEvent {
  const own = (address: string): string => hex(map.user(space, BigInt(address)));
  const gpa = (address: string): string => hex(map.gpa(BigInt(address)));
  switch (event.event) {
    case "message":
      return message(event, base, map, ring);
    case "spdk_get": {
      const { head, num, used, index, feat } = event;
      const queue = { vs: own(event.vs), vq: own(event.vq) };
      return { event: "spdk_get", ...base, ...queue, head, num, used, index, feat };
    }
    case "spdk_desc": {
      const { len, flags } = event;
      return {
        ...{ event: "spdk_desc", ...base, vs: own(event.vs), gpa: gpa(event.gpa), len },
        flags,
      };
    }
    case "spdk_used": {
      const { head, len, num, idx, index, feat } = event;
      const queue = { vs: own(event.vs), vq: own(event.vq) };
      return { event: "spdk_used", ...base, ...queue, head, len, num, idx, index, feat };
    }
    case "vu_pop_entry":
    case "vu_fill": {
      const { event: name, flags, feat } = event;
      const q0 = event.q0 === undefined ? {} : { q0: own(event.q0) };
      const queue = { dev: own(event.dev), vq: own(event.vq), ...q0 };
      const state = { logaddr: gpa(event.logaddr), flags, feat, ...logOf(event, own) };
      if (name === "vu_pop_entry") {
        const { num, used } = event;
        return { event: name, ...base, ...queue, num, used, ...state };
      }
      const { head, len, idx } = event;
      const num = event.num === undefined ? {} : { num: event.num };
      return { event: name, ...base, ...queue, ...num, head, len, idx, ...state };
    }
    case "vu_gpa":
      return { event: "vu_gpa", ...base, gpa: gpa(event.gpa), len: event.len };
    case "vu_pop":
      return {
        ...{ event: "vu_pop", ...base, elem: own(event.elem), head: event.head },
        ...{ out: event.out, in: event.in },
      };
  }
}

/** Where the log of libvhost-user lies, and its size, which is kept: what is behind its end is not logged. */
function logOf(
  { told, logbase, logsize }: { told?: number; logbase?: string; logsize?: string },
  own: (address: string) => string,
) {
  return {
    ...(told === undefined ? {} : { told }),
    ...(logbase === undefined ? {} : { logbase: own(logbase) }),
    ...(logsize === undefined ? {} : { logsize }),
  };
}

function message(
  event: MessageEvent,
  base: Base,
  map: Mapping,
  ring: VringAddress | null,
): MessageEvent {
  const { vid, request, size } = event;
  const name = messageName(request) ?? "";
  const words = [ZERO, ZERO, ZERO, ZERO, ZERO] as [string, string, string, string, string];
  const given = [event.w0, event.w1];
  for (let i = 0; i < (NUMBERS[name] ?? 0); i++) words[i] = given[i]!;
  if (name === "SET_MEM_TABLE") {
    words[0] = event.w0;
    // Of several regions the replay knows none.
    if ((BigInt(event.w0) & 0xffffffffn) === 1n) {
      words[1] = event.w1;
      words[2] = event.w2;
      words[3] = hex(map.host(BigInt(event.w3)));
    }
  } else if (name === "SET_VRING_ADDR" && ring) {
    const { desc, used } = ringWords(map, ring);
    words[0] = event.w0;
    words[1] = desc;
    words[2] = used;
    words[4] = hex(map.gpa(ring.log));
  }
  const [w0, w1, w2, w3, w4] = words;
  return { event: "message", ...base, vid, request, size, w0, w1, w2, w3, w4 };
}
