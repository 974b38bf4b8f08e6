/**
 * What values from outside may be before they reach a shell, a file of the kernel, a path or QEMU: one
 * list for all of them. A kernel's release comes from the name of a folder, a function from BTF,
 * an event from tracefs, a process from a state file; whoever makes those decides what is in them.
 */
import { quoteFound, UsageError } from "../model/place.ts";

/** Longest `uname -r` and `uname -m` (__NEW_UTS_LEN). */
const UTS = 64;
/** KSYM_NAME_LEN since 6.1. */
const SYMBOL = 512;

interface Kind {
  pattern: RegExp;
  longest: number;
  /** For the message. */
  such: string;
}

const KINDS = {
  "kernel release": { pattern: /^\d+\.\d+[\w.+~-]*$/, longest: UTS, such: "6.12.57+deb13-amd64" },
  machine: { pattern: /^\w+$/, longest: UTS, such: "x86_64" },
  function: { pattern: /^[A-Za-z_][\w.]*$/, longest: SYMBOL, such: "vhost_add_used_n" },
  module: { pattern: /^\w[\w-]*$/, longest: UTS, such: "vhost_scsi" },
  event: { pattern: /^[A-Za-z_]\w*$/, longest: UTS, such: "used" },
  "name of BTF": { pattern: /^\w[\w-]*$/, longest: UTS, such: "vmlinux" },
  "name of a field": { pattern: /^[A-Za-z_]\w*$/, longest: UTS, such: "gpa" },
  "fetch argument": { pattern: /^[\w$%+\-:>()=]+$/, longest: SYMBOL, such: "gpa=%si:x64" },
  "tool and version": { pattern: /^[\w.@/+ -]+$/, longest: 2 * UTS, such: "vhost-replay 0.1.0" },
  "number of a process": { pattern: /^[1-9]\d{0,9}$/, longest: 10, such: "4711" },
  "number of KiB": { pattern: /^[1-9]\d{0,9}$/, longest: 10, such: "65536" },
  "event of QEMU": { pattern: /^[a-z]\w*$/, longest: 2 * UTS, such: "ram_save_page" },
  "line of text": {
    pattern: /^[^\p{Cc}\u2028\u2029]*$/u,
    longest: 1024,
    such: "dirty_sync_begin 1",
  },
} as const satisfies Record<string, Kind>;

/** What a value can be. */
export type OutsideKind = keyof typeof KINDS;

/** All kinds, for tests. */
export const OUTSIDE_KINDS = Object.keys(KINDS) as OutsideKind[];

/** The value itself, when it is one of its kind. Throws UsageError otherwise. */
export function checked(kind: OutsideKind, value: string | number): string {
  const { pattern, longest, such }: Kind = KINDS[kind];
  const text = `${value}`;
  if (text.length <= longest && pattern.test(text)) return text;
  throw new UsageError(`expected a ${kind} such as ${such}, found ${quoteFound(text)}`);
}

/** Several of one kind. */
export function checkedAll(kind: OutsideKind, values: Iterable<string | number>): string[] {
  return Array.from(values, (value) => checked(kind, value));
}

/** Text for people, as one line: what ends a line or steers a terminal becomes a space. */
export function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029]+/gu, " ");
}
