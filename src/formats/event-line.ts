/** A line of ftrace text as the host looks at it, once a name and once a shape: never on the hot path. */
import { classifyEvent, PROBES, type ProbeKind } from "../core/probe-fields.ts";

/** Characters of a line that are looked at: those of an event of ours are a few hundred. */
const LOOKED_AT = 4096;

export interface EventLine {
  name: string;
  /** Column behind the name's colon. */
  at: number;
  /** Which of our probes its own fields and function say it is; null: none. */
  classify(): ProbeKind | null;
  /**
   * Whether it is surely another's event and not a damaged line of this probe: it names a function that
   * is none of vhost's, or a field that the probe has not.
   */
  isForeignTo(probe: ProbeKind): boolean;
}

// The time is the first `number:`; what follows it is the name.
const TIMED =
  /(?:^|\s|\])(?:\d{1,20}(?:\.\d{1,9})?|\d{1,20}us.{0,2}):\s+(?:\(\+\d+\)\s+)?(?:\d{1,20}\s+)?([^\s]+):(?=\s|$)/;
const NAMED = /:\s+(?:\(\+\d+\)\s+)?([^\s]+):(?=\s|$)/;
/** `caller+0x4/0x9b0 <- f`; `f+0x0/0x10 [module]`. An address begins with a digit, or has no offset behind. */
const RETURN_OF = /(?:<-|\\u003c-) ([A-Za-z_]\w*)(?:\+0x| \[|$)/;
const ENTRY_OF = /^([A-Za-z_]\w*)\+0x/;
const ADDRESS = /^[0-9a-f]{8,16}$/;

/** The event of a line; null when there is no name in it. */
export function parseEvent(whole: string): EventLine | null {
  const line = whole.slice(0, LOOKED_AT);
  const match = TIMED.exec(line) ?? NAMED.exec(line);
  const name = match?.[1];
  if (!match || name === undefined) return null;
  const at = match.index + match[0].length;
  const rest = line.slice(at);
  const symbols = /^\s*\(([^)]*)\)/.exec(rest)?.[1] ?? "";
  const symbol = (RETURN_OF.exec(symbols) ?? ENTRY_OF.exec(symbols))?.[1];
  const function_ = symbol === undefined || ADDRESS.test(symbol) ? null : symbol;
  const fields = new Set<string>();
  for (const field of rest.matchAll(/(?:^|\s)([A-Za-z_]\w*)=/g)) fields.add(field[1]!);
  return {
    name,
    at,
    classify: () => classifyEvent(name, fields, function_),
    isForeignTo(probe) {
      // Another of ours under the same name is a loss, and no stranger.
      if (classifyEvent(name, fields, function_) !== null) return false;
      if (function_ !== null) return !OF_VHOST.test(function_);
      return [...fields].some((field) => !probe.fields.some((own) => own.name === field));
    },
  };
}

/** Functions that the recipe's probes are in, or that call these. */
const OF_VHOST = /^(?:vhost_|__vhost|tun_|tap_|translate_desc|target_submit)/;

/** The probe of the recipe that has this name; `group:name` is taken by its name. */
export function probeNamed(name: string): ProbeKind | null {
  const own = name.slice(name.lastIndexOf(":") + 1);
  return PROBES.find((probe) => probe.name === own) ?? null;
}

/** Finds the name of an event of ours in a line: one of the recipe's, or one of these. */
export function namesPattern(names: readonly string[]): RegExp {
  const all = [...PROBES.map(({ name }) => name), ...names];
  const escaped = all.map((name) => name.replace(/[^\w:]/g, "\\$&"));
  return new RegExp(`(?:^|[\\s:])(${escaped.join("|")}):(?=\\s|$)`);
}
