/**
 * How lines of ftrace text look: kernel/trace/trace_output.c (trace_print_context(),
 * trace_print_lat_context()), trace-cmd report(1), perf-script(1). The reader takes them all alike; the
 * rows only tell that a file is one. To add a dialect: a row.
 */
import type { Dialect } from "./dialects.ts";

/** trace_print_lat_fmt(): four characters before 5.12, five since, seven with PREEMPT_RT. */
const FLAGS = "[.\\w#]{4,7}";
const TGID = "\\( *(?:\\d{1,10}|-{1,10})\\)[ \\t]*";

export const FTRACE_DIALECTS: readonly Dialect[] = [
  { name: "kernel", line: /^# tracer: |^# \S+ latency trace v/, header: true },
  {
    name: "trace-cmd report",
    line: /^(?:\S{1,255}: +)?(?:cpus=\d+|version = \d)/,
    header: true,
  },
  {
    name: "trace-cmd report",
    line: /\bCPU:\d{1,5} \[(?:\d{1,20} )?EVENTS DROPPED\]|\bCPU \d{1,5} is empty/,
    header: true,
  },
  {
    name: "kernel",
    line: /\bCPU:\d{1,5} \[LOST |##### CPU \d{1,5} buffer started/,
    header: true,
  },
  {
    // `  comm-pid   (tgid) [cpu] flags  time: event: …`, columns left out or glued together.
    name: "kernel",
    line: new RegExp(
      `-\\d{1,10}[ \\t]{1,16}(?:${TGID})?\\[\\d{3,5}\\][ \\t]*(?:${TGID})?` +
        `(?:${FLAGS}[ \\t]|-?0x[0-9a-f]{1,16}[ \\t])?[ \\t]*\\d{1,20}(?:\\.\\d{6,9})?: `,
    ),
  },
  {
    // Latency format: the CPU's number and the flags are one word, the time may end in `us`.
    name: "latency",
    line: new RegExp(
      `-\\d{1,10}[ \\t]{1,16}\\d{1,4}${FLAGS}[ \\t]+\\d{1,20}(?:\\.\\d{6,9}|us[ +!#*@$]?)?: `,
    ),
  },
  {
    // perf script: `comm tid [cpu] time: [period] system:event: …`, also without the command.
    name: "perf script",
    line: /(?:^|[ \t/])\d{1,10}[ \t]{1,16}\[\d{3,5}\][ \t]+\d{1,12}\.\d{6,9}:[ \t]+(?:\d{1,20}[ \t]+)?[\w-]+:[\w-]+:/,
  },
  // The tracefs options raw and hex: `pid cpu time type: id`, no arguments.
  { name: "raw", line: /^ *[0-9a-f]{1,16} [0-9a-f]{1,16} [0-9a-f]{1,16} +type: \d+/ },
];
