/**
 * What a kernel does, read from its sources: the switches of its row (kernels.ts) by what its functions
 * contain, not by commits, which stable trees take under other numbers. Each question names the function
 * whose body answers it. What only a running kernel can show is not asked.
 */
import type { Series } from "./series.ts";

/** Texts of a kernel tree; null: the file is not there. */
export interface KernelSource {
  makefile: string | null;
  scsi: string | null;
  vhost: string | null;
  net: string | null;
}

/** Paths below the tree. */
export const SOURCE_FILES: Readonly<Record<keyof KernelSource, string>> = {
  makefile: "Makefile",
  scsi: "drivers/vhost/scsi.c",
  vhost: "drivers/vhost/vhost.c",
  net: "drivers/vhost/net.c",
};

/** The switches that sources tell. */
export type Derived = Pick<
  Series,
  "patches" | "mapError" | "flush" | "ebusy" | "piCheck" | "inOrderRange" | "freeOnOff"
>;

/** One answer: whether it is so, and where that was looked up. */
export interface SourceFact {
  what: string;
  where: string;
  is: boolean;
}

export interface KernelFacts {
  /** As the Makefile has it: `6.12.117`. */
  version: string;
  facts: SourceFact[];
  series: Derived;
}

interface Question {
  file: "scsi" | "vhost" | "net";
  /** Functions whose bodies are looked at; empty: the whole file. */
  functions: readonly string[];
  pattern: RegExp;
}

/** The number of a patch of the series: by what it makes its functions do. */
const PATCHES: Readonly<Record<number, Question>> = {
  1: { file: "scsi", functions: ["vhost_scsi_complete_cmd_work"], pattern: /\bmutex_lock\(/ },
  2: { file: "scsi", functions: ["vhost_scsi_send_bad_target"], pattern: /\bcopy_to_iter\(/ },
  3: { file: "scsi", functions: ["vhost_scsi_send_status"], pattern: /\bcopy_to_iter\(/ },
  4: { file: "vhost", functions: ["vhost_log_write"], pattern: /\bU64_MAX\b/ },
  5: { file: "scsi", functions: ["vhost_scsi_get_desc"], pattern: /\bstruct vhost_log \*/ },
  6: { file: "scsi", functions: [], pattern: /\btvc_log\b/ },
  7: { file: "scsi", functions: ["vhost_scsi_complete_cmd_work"], pattern: /log_write\(/ },
  8: { file: "scsi", functions: [], pattern: /\btmf_log\b/ },
  9: { file: "scsi", functions: ["vhost_scsi_do_evt_work"], pattern: /log_write\(/ },
};

const SWITCHES: Readonly<Record<Exclude<keyof Derived, "patches" | "mapError">, Question>> = {
  flush: { file: "scsi", functions: ["vhost_scsi_ioctl"], pattern: /\bvhost_scsi_flush\(/ },
  ebusy: { file: "scsi", functions: ["vhost_scsi_set_features"], pattern: /\bEBUSY\b/ },
  piCheck: {
    file: "scsi",
    functions: ["vhost_scsi_handle_vq"],
    pattern: /\bprot_bytes\s*>=?\s*exp_data_len\b/,
  },
  inOrderRange: { file: "net", functions: [], pattern: /\bVIRTIO_F_IN_ORDER\b/ },
  freeOnOff: {
    file: "scsi",
    functions: ["vhost_scsi_set_features"],
    pattern: /(?:destroy|free)\w{0,40}log\w{0,40}\(/,
  },
};

/** A mapping error is handed on as an error number, or is answered as a bad target. */
const MAP_ERRNO: Question = {
  file: "scsi",
  functions: ["vhost_scsi_handle_vq"],
  pattern: /\bret\s*=\s*vhost_scsi_mapal\(/,
};

/**
 * Reads a kernel's sources. Throws Error where a file is missing, has no version, or lacks a function that
 * every kernel has: then the driver was rewritten, and somebody must look.
 */
export function readKernelSource(source: KernelSource): KernelFacts {
  const texts = Object.fromEntries(
    (Object.keys(SOURCE_FILES) as (keyof KernelSource)[]).map((name) => {
      const text = source[name];
      if (text === null) throw new Error(`no ${SOURCE_FILES[name]}`);
      return [name, name === "makefile" ? text : withoutComments(text)];
    }),
  ) as Record<keyof KernelSource, string>;
  const facts: SourceFact[] = [];
  const ask = (what: string, question: Question): boolean => {
    const is = answer(texts[question.file], question);
    const where = [SOURCE_FILES[question.file], ...question.functions].join(" ");
    facts.push({ what, where, is });
    return is;
  };
  const version = versionOf(texts.makefile);
  const patches = Object.entries(PATCHES)
    .filter(([number, question]) => ask(`patch ${number}`, question))
    .map(([number]) => Number(number));
  const mapError = ask("mapError errno", MAP_ERRNO) ? "errno" : "bad-target";
  const on = Object.fromEntries(
    Object.entries(SWITCHES).map(([name, question]) => [name, ask(name, question)]),
  ) as Record<keyof typeof SWITCHES, boolean>;
  return { version, facts, series: { patches, mapError, ...on } };
}

function versionOf(makefile: string): string {
  const numbers = ["VERSION", "PATCHLEVEL", "SUBLEVEL"].map(
    (name) => new RegExp(`^${name} = (\\d{1,4})$`, "m").exec(makefile)?.[1],
  );
  if (numbers.includes(undefined)) throw new Error("Makefile: no VERSION, PATCHLEVEL and SUBLEVEL");
  return numbers.join(".");
}

/** Functions that came with a later change: without them the answer is no. */
const LATER: ReadonlySet<string> = new Set(["vhost_scsi_send_status"]);

function answer(text: string, { functions, pattern }: Question): boolean {
  if (functions.length === 0) return pattern.test(text);
  return functions.some((name) => {
    const body = functionOf(text, name);
    if (body !== null) return pattern.test(body);
    if (LATER.has(name)) return false;
    throw new Error(`no function ${name}(): what it did before is done elsewhere`);
  });
}

/** A function's parameters and body; null: it is not defined here. */
function functionOf(text: string, name: string): string | null {
  for (let at = text.indexOf(`${name}(`); at >= 0; at = text.indexOf(`${name}(`, at + 1)) {
    if (/\w/.test(text[at - 1] ?? "")) continue;
    const open = text.indexOf("{", at);
    const end = text.indexOf(";", at);
    // A call, or a declaration.
    if (open < 0 || (end >= 0 && end < open)) continue;
    // The kernel's functions end with a brace at the beginning of a line.
    const close = text.indexOf("\n}", open);
    return close < 0 ? null : text.slice(at, close);
  }
  return null;
}

/** Comments become spaces, so that words in them answer nothing. Linear. */
function withoutComments(text: string): string {
  const parts: string[] = [];
  let at = 0;
  while (true) {
    const open = text.indexOf("/*", at);
    if (open < 0) return parts.join(" ") + (at === 0 ? "" : " ") + text.slice(at);
    parts.push(text.slice(at, open));
    const close = text.indexOf("*/", open + 2);
    if (close < 0) return parts.join(" ");
    at = close + 2;
  }
}
