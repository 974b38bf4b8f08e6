/** Which text dialect the first lines of a file are: one line that fits is enough. */

interface Dialect {
  name: string;
  line: RegExp;
}

/** flags: four (before 5.12) or five characters of trace_print_lat_fmt(). */
const FLAGS = "[.\\w]{4,5}";
const TGID = "\\([ \\d-]{1,9}\\) *";

// Each pattern is bounded: it is tried on 50 lines of at most 1024 characters.
const FTRACE_TEXT: readonly Dialect[] = [
  { name: "kernel", line: /^# tracer: / },
  { name: "kernel", line: /^# \S+ latency trace v/ },
  { name: "trace-cmd report", line: /^(?:\S{1,255}: +)?(?:cpus=\d+|version = \d)/ },
  { name: "trace-cmd report", line: /^ *CPU:? ?\d+ (?:\[(?:\d+ )?EVENTS DROPPED\]|is empty)/ },
  { name: "kernel", line: /^CPU:\d+ \[LOST / },
  { name: "kernel", line: /^##### CPU \d+ buffer started/ },
  {
    // `  comm-pid   (tgid) [cpu] flags  time: event: …`, columns left out or glued together.
    name: "kernel",
    line: new RegExp(
      `-\\d{1,10} {1,16}(?:${TGID})?\\[\\d{3,5}\\] ?(?:${TGID})?(?:${FLAGS} |-?0x[0-9a-f]+ )? *` +
        "\\d{1,20}(?:\\.\\d{6,9})?: ",
    ),
  },
  {
    // Latency format: the CPU's number and the flags are one word, the time may end in `us`.
    name: "latency",
    line: new RegExp(`-\\d{1,10} {1,16}\\d{1,4}${FLAGS} +\\d{1,20}(?:\\.\\d{6,9}|us[ +!#*@$]?)?: `),
  },
  {
    // perf script: `comm tid [cpu] time: [period] system:event: …`
    name: "perf script",
    line: /[ /]\d{1,10} {1,16}\[\d{3,5}\] +\d{1,12}\.\d{6,9}: +(?:\d+ +)?[\w-]+:[\w-]+: /,
  },
  // The tracefs options raw and hex: `pid cpu time type: id`, no arguments.
  { name: "raw", line: /^ *[0-9a-f]+ [0-9a-f]+ [0-9a-f]+ +type: \d+/ },
];

/** scripts/tracetool/backend/log.py of QEMU up to 10 with and without `-msg timestamp=on`, 11. */
const QEMU_LOG: readonly Dialect[] = [
  { name: "tid@time", line: /^\d+@\d+\.\d{6}:[a-z]\w* / },
  { name: "ISO 8601", line: /^(?:\S+ )?\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [a-z]\w* / },
  {
    name: "no time",
    line: /^(?:virtqueue|virtio|vhost|flatview|memory_region|address_space|migration|ram|savevm)_\w+ /,
  },
];

/** Empty string without a variant. A `raw` recording is told apart only when nothing else fits. */
function firstDialect(dialects: readonly Dialect[], lines: readonly string[]): string | null {
  for (const dialect of dialects) {
    if (lines.some((line) => dialect.line.test(line))) return dialect.name;
  }
  return null;
}

/**
 * The dialect of ftrace text that these lines are: `kernel` (`trace`, `trace_pipe`), `latency`,
 * `trace-cmd report`, `perf script`, or `raw` for the tracefs options that leave the arguments
 * out; null when none is. Follows kernel/trace/trace_output.c, trace-cmd report(1) and
 * perf-script(1).
 */
export function looksLikeFtraceText(lines: readonly string[]): string | null {
  const dialect = firstDialect(FTRACE_TEXT, lines);
  const raw = FTRACE_TEXT.at(-1);
  // A `trace` file has its header in the raw option, too.
  if (dialect === "kernel" && raw && lines.some((line) => raw.line.test(line))) return raw.name;
  return dialect;
}

/** The shape of QEMU's `log` trace backend that these lines have, or null. */
export function looksLikeQemuLog(lines: readonly string[]): string | null {
  return firstDialect(QEMU_LOG, lines);
}
