/**
 * What a file of a case is, told by its content: a recording, what is known beside one, or a
 * stranger. Only the beginning is read. Names decide nothing, but for images of dirty logs, which are
 * bits without a signature: `N.bin`, as `log` and `verify` name them.
 */
import { unwrap } from "../bytes/decompress.ts";
import { type Head, latin1, mayBeText } from "../bytes/head.ts";
import type { Source } from "../bytes/source.ts";
import { recognise } from "../formats/formats.ts";
import { RecordingError } from "../model/place.ts";

export type Role =
  | "recording"
  | "clock-pairs"
  | "memory-map"
  | "trace-events"
  | "owners"
  | "observed-log"
  | "kernel-release"
  | "bundle"
  | "memory-image"
  | "migration-file"
  | "archive"
  | "aside"
  | "stranger";

export interface Classified {
  source: Source;
  role: Role;
  /** A noun phrase for people. */
  what: string;
  /** The first 64 KiB as text, one character a byte; empty for what is no text. */
  text: string;
}

interface TextKind {
  role: Role;
  what: string;
  matches(head: Head, text: string): boolean;
}

const some =
  (pattern: RegExp) =>
  ({ lines }: Head): boolean =>
    lines.some((line) => pattern.test(line));

/** In this order: what is surest first. */
const TEXTS: readonly TextKind[] = [
  {
    role: "bundle",
    what: "the manifest of a bundle",
    matches: (_, text) => /"schema":\s*"vhost-replay\/bundle\/\d+"/.test(text),
  },
  {
    role: "clock-pairs",
    what: "readings of the host's clocks",
    matches: some(/^\s*realtime=\d+\.\d+\s.*monotonic=\d+\.\d+/),
  },
  {
    role: "memory-map",
    what: "a memory map (info mtree -f, info ramblock)",
    matches: (head, text) =>
      /^FlatView #\d+/m.test(text) ||
      /^[ \t]{0,64}Block Name[ \t]{1,16}PSize[ \t]{1,32}Offset/m.test(text) ||
      /"command-line":\s*"info (?:mtree|ramblock)/.test(text) ||
      (some(/^\s*\{.*"(?:execute|return|QMP)"/)(head) && /FlatView #\d+/.test(text)),
  },
  {
    role: "owners",
    what: "owners of guest pages",
    matches: ({ lines }) => {
      const [first = ""] = lines;
      const words = first
        .trim()
        .toLowerCase()
        .split(/[,"\s:{}]+/);
      return ["gfn", "owner", "kind"].every((word) => words.includes(word));
    },
  },
  {
    role: "kernel-release",
    what: "the host's kernel (uname -a)",
    matches: some(/^Linux \S+ \d+\.\d+\.\S+ #\d+ /),
  },
  {
    role: "trace-events",
    what: "QEMU's list of trace events",
    matches: ({ lines }) =>
      lines.filter((line) => /^(?:vcpu |disable )*\w+\(.*\) ".*"/.test(line)).length > 20,
  },
  {
    role: "aside",
    what: "definitions of probes",
    matches: some(/^[pr]\d*:\w+\/\w+ \S+/),
  },
  {
    role: "aside",
    what: "counters of the ring buffer",
    matches: (head) => some(/^commit overrun: \d+/)(head) && some(/^dropped events: \d+/)(head),
  },
  { role: "aside", what: "QEMU's version", matches: some(/^QEMU emulator version \d/) },
  {
    role: "aside",
    what: "a log of QMP, without a memory map",
    matches: some(/^\s*\{.*"(?:execute|return|QMP)"\s*:/),
  },
];

const SIGNATURES: readonly [RegExp, string][] = [
  [/^%PDF-/, "a PDF"],
  [/^\x89PNG\r\n/, "a picture (PNG)"],
  [/^\xff\xd8\xff/, "a picture (JPEG)"],
  [/^GIF8/, "a picture (GIF)"],
  [/^\{\\rtf/, "a document (RTF)"],
  [/^(?:<!DOCTYPE |<html)/i, "an HTML page"],
];

/** Tells what a file is. A file that cannot be read, or is damaged at its start, is a stranger. */
export async function classify(source: Source): Promise<Classified> {
  let head: Head;
  try {
    const unwrapped = await unwrap(source);
    head = unwrapped.head;
    unwrapped.stream().close();
  } catch (error) {
    if (!(error instanceof RecordingError)) throw error;
    return { source, role: "stranger", what: `not readable (${error.found})`, text: "" };
  }
  return { source, ...tell(source.name, head) };
}

function tell(name: string, head: Head): Omit<Classified, "source"> {
  const text = mayBeText(head) ? head.text : "";
  if (/(?:^|\/)\d{1,9}\.bin$/.test(name)) {
    return { role: "observed-log", what: "the image of a dirty log", text: "" };
  }
  const told = TEXTS.find((kind) => text !== "" && kind.matches(head, text));
  if (told) return { role: told.role, what: told.what, text };
  const known = recognise(head);
  if (known && "format" in known) {
    const what = known.format.describe(known.variant);
    return { role: known.format.name === "tar" ? "archive" : "recording", what, text };
  }
  if (known) {
    const { name: kind, phrase } = known.foreign;
    const role = FOREIGN_ROLES[kind] ?? "stranger";
    return { role, what: phrase, text };
  }
  const start = latin1(head.bytes.subarray(0, 64));
  const signature = SIGNATURES.find(([pattern]) => pattern.test(start));
  const what = signature?.[1] ?? (text === "" ? "bytes of no known kind" : "text of no known kind");
  return { role: "stranger", what, text };
}

/** Kinds of bytes/foreign.ts that some command of ours can use. */
const FOREIGN_ROLES: Readonly<Record<string, Role>> = {
  elf: "memory-image",
  kdump: "memory-image",
  "migration-stream": "migration-file",
};
