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
};

const WHEN: Readonly<Record<string, string>> = {
  logged: "",
  late: "popped before LOG_ALL was set",
  freed: "whose entries a toggle freed",
  "no-base": "without SET_LOG_BASE",
  off: "while logging was off",
};

/** Who wrote: `io-late` as `I/O requests`. A name that is no cause stands for itself. */
export function writerText(cause: string): string {
  return WHO[cause.split("-")[0] ?? ""] ?? cause;
}

/** Who wrote and in which state the log was: `I/O requests popped before LOG_ALL was set`. */
export function causeText(cause: string): string {
  const when = WHEN[cause.slice(cause.indexOf("-") + 1)] ?? "";
  return when === "" ? writerText(cause) : `${writerText(cause)} ${when}`;
}
