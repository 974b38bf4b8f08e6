/** Causes in words, from their names in JSON. */

const WHO: Readonly<Record<string, string>> = {
  ring: "used ring",
  notify: "flags and avail_event",
  io: "I/O requests",
  ctl: "control requests",
  evt: "events",
  rx: "received packets",
  vsock: "received vsock packets",
  elem: "used elements of an in-order ring",
  range: "the range logged for an in-order ring",
  part: "the part of a request that its used length tells",
  stray: "bytes of packets that were given back",
  packed: "used descriptors of a packed ring",
  header: "virtio-net headers",
};

const WHEN: Readonly<Record<string, string>> = {
  logged: "",
  late: "popped before LOG_ALL was set",
  freed: "whose entries a toggle freed",
  "no-base": "without SET_LOG_BASE",
  off: "while logging was off",
  flag: "with the ring's log flag alone",
  all: "with LOG_ALL alone",
  beyond: "behind the end of the log",
  refused: "with an indirect table behind another descriptor",
  "left-out": "which lie elsewhere than what is logged",
  "left-off": "while logging was off",
  piece: "behind their first descriptor",
};

/** Causes that their two words do not name. */
const WHOLE: Readonly<Record<string, string>> = {
  "packed-astray": "what is logged for used descriptors that lie elsewhere",
  "header-astray": "what DPDK logs for the pieces of a virtio-net header",
};

/** Who wrote: `io-late` as `I/O requests`. A name that is no cause stands for itself. */
export function writerText(cause: string): string {
  return WHO[cause.split("-")[0] ?? ""] ?? cause;
}

/** Who wrote and in which state the log was: `I/O requests popped before LOG_ALL was set`. */
export function causeText(cause: string): string {
  const whole = WHOLE[cause];
  if (whole !== undefined) return whole;
  const when = WHEN[cause.slice(cause.indexOf("-") + 1)] ?? "";
  return when === "" ? writerText(cause) : `${writerText(cause)} ${when}`;
}
