/**
 * Every text that ftrace tools print: a real recording is rewritten line by line into the other
 * shapes (docs of formats A1 to A6), and must give the same result.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { RecordingError } from "../../src/model/place.ts";
import { memorySource, type OneMachine, replayAll } from "../support/memory-source.ts";

const FOLDER = join(import.meta.dirname, "../..", "traces", "vhost-scsi", "6.16.12+deb13-amd64");
const TEXT = gunzipSync(readFileSync(join(FOLDER, "12-toggle", "trace.txt.gz"))).toString("latin1");

interface Line {
  comm: string;
  pid: string;
  cpu: string;
  flags: string;
  time: string;
  event: string;
  rest: string;
}

const SHAPE = /^ *(.*)-(\d+) +\[(\d{3})\] (\S{5}) +(\d+\.\d{6}): (\w+):(.*)$/;

const LINES: Line[] = TEXT.split("\n").flatMap((line) => {
  const m = SHAPE.exec(line);
  return m
    ? [
        {
          comm: m[1]!,
          pid: m[2]!,
          cpu: m[3]!,
          flags: m[4]!,
          time: m[5]!,
          event: m[6]!,
          rest: m[7]!,
        },
      ]
    : [];
});

/** The lines rewritten by `shape`. */
function rewritten(shape: (line: Line) => string, header = ""): string {
  return `${header}${LINES.map(shape).join("\n")}\n`;
}

/** What must not depend on the shape. */
function essence(result: OneMachine): unknown {
  return {
    policies: result.policies,
    rounds: result.rounds.map(({ sync, ...round }) => ({ ...round, number: sync?.number })),
    queues: result.devices.map((device) => device.queues),
    findings: result.findings.map(({ first, ...finding }) => ({ ...finding, gpa: first.gpa })),
  };
}

const expected = essence(await replayAll([memorySource("trace.txt", TEXT)]));

const pad = (text: string, width: number): string => text.padStart(width);
const addresses = (rest: string): string => rest.replace(/\([^)]*\)/, "(ffffffffc06a1000)");
const marker = (line: Line): boolean => line.event === "tracing_mark_write";
const reportEvent = (line: Line): string =>
  marker(line)
    ? `print:                tracing_mark_write:${line.rest}`
    : `${`${line.event}:`.padEnd(21)}${addresses(line.rest).trim()}`;

const SHAPES: Record<string, string> = {
  "trace_pipe, without a header": rewritten(
    (l) =>
      `${pad(l.comm, 16)}-${l.pid.padEnd(7)} [${l.cpu}] ${l.flags} ${pad(l.time, 12)}: ${l.event}:${l.rest}`,
  ),
  "trace with the tgid option": rewritten(
    (l) =>
      `${pad(l.comm, 16)}-${l.pid.padEnd(7)} (${pad(l.pid, 7)}) [${l.cpu}] ${l.flags} ${pad(l.time, 12)}: ${l.event}:${l.rest}`,
  ),
  "trace with an unknown tgid": rewritten(
    (l) =>
      `${pad(l.comm, 16)}-${l.pid.padEnd(7)} (-------) [${l.cpu}] ${l.flags} ${pad(l.time, 12)}: ${l.event}:${l.rest}`,
  ),
  "trace without irq-info": rewritten(
    (l) =>
      `${pad(l.comm, 16)}-${l.pid.padEnd(7)} [${l.cpu}] ${pad(l.time, 12)}: ${l.event}:${l.rest}`,
  ),
  "trace of kernels before 5.12, four flags": rewritten(
    (l) =>
      `${pad(l.comm, 16)}-${l.pid.padEnd(7)} [${l.cpu}] ${l.flags.slice(0, 4)} ${pad(l.time, 12)}: ${l.event}:${l.rest}`,
  ),
  "trace on a host with more than 1000 CPUs": rewritten(
    (l) =>
      `${pad(l.comm, 16)}-${l.pid.padEnd(7)} [1${l.cpu}] ${l.flags} ${pad(l.time, 12)}: ${l.event}:${l.rest}`,
  ),
  "trace with hostile command names": rewritten((l) => {
    const comm = l.pid.endsWith("1") ? "a [b] c: d" : "x-1 [000] 1.0: f";
    return `${pad(comm, 16)}-${l.pid.padEnd(7)} [${l.cpu}] ${l.flags} ${pad(l.time, 12)}: ${l.event}:${l.rest}`;
  }),
  "trace with unknown command names": rewritten(
    (l) =>
      `${pad("<...>", 16)}-${l.pid.padEnd(7)} [${l.cpu}] ${l.flags} ${pad(l.time, 12)}: ${l.event}:${l.rest}`,
  ),
  "trace copied through Windows, CRLF": TEXT.replaceAll("\n", "\r\n"),
  "trace on clock x86-tsc": rewritten(
    (l) =>
      `${pad(l.comm, 16)}-${l.pid.padEnd(7)} [${l.cpu}] ${l.flags} ${pad(l.time.replace(".", ""), 12)}: ${l.event}:${l.rest}`,
  ),
  "latency format": rewritten(
    (l) =>
      `${pad(l.comm.slice(0, 8), 8)}-${l.pid.padEnd(7)} ${pad(String(Number(l.cpu)), 3)}${l.flags} ${l.time.replace(".", "")}us+: ${l.event}:${l.rest}`,
    "# nop latency trace v1.1.5 on 6.16.12\n",
  ),
  "trace-cmd report 3.1": rewritten(
    (l) => `${pad(l.comm, 16)}-${l.pid.padEnd(5)} [${l.cpu}] ${pad(l.time, 12)}: ${reportEvent(l)}`,
    "cpus=2\n",
  ),
  "trace-cmd report 3.4, with flags": rewritten(
    (l) =>
      `${pad(l.comm, 16)}-${l.pid.padEnd(5)} [${l.cpu}] ${l.flags} ${pad(l.time, 12)}: ${reportEvent(l)}`,
    "cpus=2\n",
  ),
  "trace-cmd report -t, nanoseconds": rewritten(
    (l) => `${pad(l.comm, 16)}-${l.pid.padEnd(5)} [${l.cpu}] ${l.time}000: ${reportEvent(l)}`,
    "cpus=2\n",
  ),
  "trace-cmd report --raw-ts": rewritten(
    (l) =>
      `${pad(l.comm, 16)}-${l.pid.padEnd(5)} [${l.cpu}]  ${l.time.replace(".", "")}: ${reportEvent(l)}`,
  ),
  "trace-cmd report --ts-diff": rewritten(
    (l) =>
      `${pad(l.comm, 16)}-${l.pid.padEnd(5)} [${l.cpu}] ${pad(l.time, 12)}: (+2658)  ${reportEvent(l)}`,
  ),
  "trace-cmd report of x86-tsc, time glued to the CPU": rewritten(
    (l) =>
      `${pad(l.comm, 16)}-${l.pid.padEnd(5)} [${l.cpu}]${l.time.replace(".", "").padStart(13, "1")}: ${reportEvent(l)}`,
  ),
  "trace-cmd report of several buffers": rewritten(
    (l) =>
      `big:      ${pad(l.comm, 16)}-${l.pid.padEnd(5)} [${l.cpu}] ${pad(l.time, 12)}: ${reportEvent(l)}`,
  ),
  "trace-cmd report -i twice, file names in front": rewritten(
    (l) =>
      `host.dat: ${pad(l.comm, 16)}-${l.pid.padEnd(5)} [${l.cpu}] ${pad(l.time, 12)}: ${reportEvent(l)}`,
  ),
  "trace-cmd report with an event that it cannot format": rewritten(
    (l) =>
      `${pad(l.comm, 16)}-${l.pid.padEnd(5)} [${l.cpu}] ${pad(l.time, 12)}: ${
        marker(l)
          ? reportEvent(l)
          : `${l.event}: [FAILED TO PARSE]${addresses(l.rest).replace(/^ *\([^)]*\)/, " __probe_ip=ffffffffc06a1000")}`
      }`,
  ),
  "kernels 4.13 to 4.18, the tgid behind the CPU, with a blank in it": rewritten(
    (l) =>
      `${pad(l.comm, 16)}-${l.pid.padEnd(5)} [${l.cpu}] (${pad(l.pid, 5)}) ${l.flags.slice(0, 4)} ${pad(l.time, 12)}: ${l.event}:${l.rest}`,
  ),
  "trace with PREEMPT_RT's seven flags": rewritten(
    (l) =>
      `${pad(l.comm, 16)}-${l.pid.padEnd(7)} [${l.cpu}] ${l.flags}.. ${pad(l.time, 12)}: ${l.event}:${l.rest}`,
  ),
  "latency format with PREEMPT_RT's seven flags": rewritten(
    (l) =>
      `${pad(l.comm.slice(0, 8), 8)}-${l.pid.padEnd(7)} ${pad(String(Number(l.cpu)), 3)}${l.flags}.. ${l.time.replace(".", "")}us : ${l.event}:${l.rest}`,
  ),
  "latency format, seconds (trace-cmd report -l)": rewritten(
    (l) =>
      `${pad(l.comm.slice(0, 8), 8)}-${l.pid.padEnd(5)} ${pad(String(Number(l.cpu)), 3)}${l.flags} ${pad(l.time, 12)}: ${l.event}:${l.rest}`,
  ),
  "a dump of ftrace on the console": rewritten(
    (l) =>
      `[ 1101.000000] ${pad(l.comm.slice(0, 8), 8)}-${l.pid.padEnd(7)} ${pad(String(Number(l.cpu)), 3)}${l.flags} ${l.time.replace(".", "")}us+: ${l.event}:${l.rest}`,
    "[ 1100.950000] Dumping ftrace buffer:\n[ 1100.960000] ---------------------------------\n",
  ),
  "trace with its columns trimmed": rewritten(
    (l) => `${l.comm}-${l.pid} [${l.cpu}] ${l.flags} ${l.time}: ${l.event}:${l.rest}`,
  ),
  "trace with tabs between its columns": rewritten(
    (l) => `${l.comm}-${l.pid}\t[${l.cpu}]\t${l.flags}\t${l.time}: ${l.event}:${l.rest}`,
  ),
  "trace with tabs between its fields, too": rewritten(
    (l) =>
      `\t${l.comm}-${l.pid}\t[${l.cpu}]\t${l.flags}\t${l.time}: ${l.event}:${marker(l) ? l.rest : l.rest.replaceAll(" ", "\t")}`,
  ),
  "perf script with the field period": rewritten(
    (l) =>
      `${pad(l.comm, 16)} ${pad(l.pid, 5)} [${l.cpu}] ${pad(l.time, 12)}:          1 ${pad(marker(l) ? "ftrace:print" : `vl:${l.event}`, 20)}: ${
        marker(l) ? `tracing_mark_write:${l.rest}` : addresses(l.rest).trim()
      }`,
  ),
  "perf script without the command": rewritten(
    (l) =>
      `${pad(l.pid, 5)} [${l.cpu}] ${pad(l.time, 12)}: ${pad(marker(l) ? "ftrace:print" : `vl:${l.event}`, 20)}: ${
        marker(l) ? `tracing_mark_write:${l.rest}` : addresses(l.rest).trim()
      }`,
  ),
  "perf script": rewritten(
    (l) =>
      `${pad(l.comm, 16)} ${pad(l.pid, 5)} [${l.cpu}] ${pad(l.time, 12)}: ${pad(marker(l) ? "ftrace:print" : `vl:${l.event}`, 20)}: ${
        marker(l) ? `tracing_mark_write:${l.rest}` : addresses(l.rest).trim()
      }`,
  ),
  "perf script -F pid,tid --ns": rewritten(
    (l) =>
      `${pad(l.comm, 16)} ${pad(`${l.pid}/${l.pid}`, 11)}  [${l.cpu}] ${l.time}000: ${pad(marker(l) ? "ftrace:print" : `vl:${l.event}`, 20)}: ${
        marker(l) ? `tracing_mark_write:${l.rest}` : addresses(l.rest).trim()
      }`,
  ),
  "probes under other names, known by their fields": rewritten(
    (l) =>
      `${pad(l.comm, 16)}-${l.pid.padEnd(7)} [${l.cpu}] ${l.flags} ${pad(l.time, 12)}: ${
        marker(l) ? l.event : `my_${l.event}`
      }:${l.rest}`,
  ),
  "foreign events and broken lines in between": rewritten(
    (l) =>
      `${pad(l.comm, 16)}-${l.pid.padEnd(7)} [${l.cpu}] ${l.flags} ${pad(l.time, 12)}: sched_waking: comm="a=b gpa=0x5" pid=1\n` +
      `3e 00 00 00 76\n => vfs_read\n\n` +
      `${pad(l.comm, 16)}-${l.pid.padEnd(7)} [${l.cpu}] ${l.flags} ${pad(l.time, 12)}: ${l.event}:${l.rest}`,
  ),
  "options/fields": rewritten((l) => {
    const rest = marker(l)
      ? l.rest
      : l.rest.replace(/=(\S+)/g, (_, value) => `=${value} (${BigInt(value).toString()})`);
    return `${pad(l.comm, 16)}-${l.pid.padEnd(7)} [${l.cpu}] ${l.flags} ${pad(l.time, 12)}: ${l.event}:${rest}`;
  }),
};

describe("ftrace text", () => {
  test("the recording that is rewritten has all its lines", () => {
    expect(LINES.length).toBe(417);
  });

  test.each(Object.entries(SHAPES))("%s gives the same result", async (_, text) => {
    expect(essence(await replayAll([memorySource("t", text)]))).toEqual(expected);
  });

  test("lines out of order by some milliseconds are put in order, as trace_pipe gives them under load", async () => {
    const shuffled = TEXT.split("\n").filter((line) => SHAPE.test(line));
    // Each CPU's lines come in bursts: two CPUs, bursts of 40 lines.
    const bursts: string[] = [];
    for (let i = 0; i < shuffled.length; i += 40) {
      const burst = shuffled.slice(i, i + 40);
      bursts.push(
        ...burst.filter((l) => l.includes("[001]")),
        ...burst.filter((l) => l.includes("[000]")),
      );
    }
    expect(bursts).not.toEqual(shuffled);
    const result = await replayAll([memorySource("t", `${bursts.join("\n")}\n`)]);
    expect(essence(result)).toEqual(expected);
    expect(result.inputs[0]!.outOfOrder).toBe(0);
  });

  test("lines out of order are put in order whatever pieces they come in", async () => {
    const lines = TEXT.split("\n").filter((line) => SHAPE.test(line));
    // One of the last lines stands among the first, in front of the end of a piece.
    const early = [
      ...lines.slice(0, 50),
      lines[300]!,
      ...lines.slice(50, 300),
      ...lines.slice(301),
    ];
    for (const chunk of [Number.POSITIVE_INFINITY, 6000, 700]) {
      const result = await replayAll([memorySource("t", `${early.join("\n")}\n`, chunk)]);
      expect(essence(result), `${chunk}`).toEqual(expected);
      expect(result.inputs[0]!.outOfOrder).toBe(0);
    }
  });

  test("how far a line may be out of order does not depend on the pieces either", async () => {
    const lines = TEXT.split("\n").filter((line) => SHAPE.test(line));
    const many = Array.from({ length: 12 }, () => lines).flat();
    // In time, so that only the one that is moved is out of order.
    const timed = many.map((line, i) =>
      line.replace(/ \d+\.\d{6}:/, ` ${100 + i / 1e4}0000:`.replace(/(\.\d{6})\d*/, "$1")),
    );
    const [moved] = timed.splice(2, 1);
    for (const by of [500, 1500, 2500]) {
      const late = timed.toSpliced(by, 0, moved!);
      const counts = [];
      for (const chunk of [Number.POSITIVE_INFINITY, 60_000, 5000]) {
        const { inputs } = await replayAll([memorySource("t", `${late.join("\n")}\n`, chunk)]);
        counts.push(inputs[0]!.outOfOrder);
      }
      expect(new Set(counts).size, `${by}: ${counts}`).toBe(1);
    }
  });

  test("a loss is in the round of the line before it, whatever pieces the lines come in", async () => {
    const lines = TEXT.split("\n").filter((line) => SHAPE.test(line));
    const sync = lines.findIndex((line) => line.includes("dirty_sync_begin"));
    const late = lines.at(-1)!;
    // A line that is out of order stands before the loss.
    const made = [...lines.slice(0, sync - 40), late, ...lines.slice(sync - 40, sync - 20)];
    // So long that it comes in several pieces.
    made.push("x".repeat(70_000), ...lines.slice(sync - 20));
    for (const chunk of [Number.POSITIVE_INFINITY, 6000, 700, 350]) {
      const { rounds } = await replayAll([memorySource("t", `${made.join("\n")}\n`, chunk)]);
      const lossy = rounds.filter(({ caveats }) =>
        caveats.includes("events were lost in this round"),
      );
      expect(
        lossy.map(({ index }) => index),
        `${chunk}`,
      ).toEqual([0]);
    }
  });

  test("the kernel's header is the only witness of an overwritten buffer, and it is heard", async () => {
    const text = TEXT.replace("417/417", "417/1417");
    const result = await replayAll([memorySource("t", text)]);
    expect(result.limits[0]).toMatchObject({ code: "events-lost" });
    expect(result.limits[0]!.text).toContain("1000 events");
    expect(result.certainty).toBe("lower");
  });

  test.each([
    ["CPU:1 [LOST 10779 EVENTS]", 10779],
    ["CPU:1 [LOST EVENTS]", null],
    ["CPU:1 [95 EVENTS DROPPED]", 95],
    ["CPU:1 [EVENTS DROPPED]", null],
    ["##### CPU 1 buffer started ####", null],
  ])("a loss line %s becomes a gap of that CPU at its line", async (line, lost) => {
    const lines = TEXT.split("\n");
    lines.splice(200, 0, line);
    const result = await replayAll([memorySource("t", lines.join("\n"))]);
    expect(result.inputs[0]!.gaps).toEqual([{ cpu: 1, lost, place: { file: "t", at: ":201" } }]);
    expect(result.certainty).not.toBe("exact");
  });

  /** The one loss of a recording that is replayed but for that line. */
  const lossOf = async (text: string): Promise<{ note: string; at: string }> => {
    const { limits, inputs, certainty, eventsReplayed } = await replayAll([
      memorySource("t", text),
    ]);
    const unread = limits.find(({ code }) => code === "events-unread");
    expect(unread?.text).toContain("1 piece of the recording cannot be read");
    expect(unread?.places).toHaveLength(1);
    expect(certainty).not.toMatch(/exact|upper/);
    // All but the damaged one, and the gap in its place.
    expect(eventsReplayed).toBe(417);
    return { note: inputs[0]!.notes.join(" "), at: unread!.places[0]!.at };
  };

  test("a value that is no number is a loss, told with line and column", async () => {
    const text = TEXT.replace(/gpa=0x[0-9a-f]+/, "gpa=0xzz");
    const line = text.split("\n").findIndex((entry) => entry.includes("0xzz")) + 1;
    const column = text.split("\n")[line - 1]!.indexOf("0xzz") + 1;
    const { note, at } = await lossOf(text);
    expect(at).toBe(`:${line}`);
    expect(note).toContain(`t:${line}:${column}: expected a number that fits gpa, found "0xzz"`);
  });

  test("a value too big for its field is a loss, not a smaller number", async () => {
    const text = TEXT.replace(/ idx=\d+/, " idx=65536");
    expect((await lossOf(text)).note).toContain("a number that fits idx");
  });

  test("a field that is missing is a loss that names it", async () => {
    const text = TEXT.replace(/(desc: .*) len=\d+/, "$1");
    expect((await lossOf(text)).note).toContain("len= in every desc event");
  });

  test("a recording of which nothing can be read is refused, with the first reason", async () => {
    const [line] = TEXT.split("\n").filter((entry) => / desc: /.test(entry));
    const text = `${line!.replace(/gpa=0x[0-9a-f]+/, "gpa=0xzz")}\n`;
    const failure = replayAll([memorySource("t", text.repeat(3))]);
    await expect(failure).rejects.toThrow(RecordingError);
    await expect(failure).rejects.toThrow(
      /^t:1:\d+: expected a number that fits gpa, found "0xzz"/,
    );
  });

  test("the raw option of tracefs is refused with what to do", async () => {
    const text = "# tracer: nop\n#\n4746 0 2456880773764 type: 2328\n";
    await expect(replayAll([memorySource("t", text)])).rejects.toThrow(RecordingError);
  });

  test("a recording cut off anywhere is read up to there", async () => {
    for (let cut = TEXT.length - 400; cut < TEXT.length; cut += 7) {
      const result = await replayAll([memorySource("t", TEXT.slice(0, cut))]);
      expect(result.eventsReplayed).toBeGreaterThan(400);
    }
  });
});

test("a last line without an end is cut, even where what is left reads well", async () => {
  const counts = async (text: string): Promise<[number, boolean, boolean]> => {
    const { inputs, limits } = await replayAll([memorySource("trace.txt", text)]);
    const [input] = inputs;
    return [
      input!.events.reduce((sum, { count }) => sum + count, 0),
      input!.notes.some((note) => note.includes("ends in the middle of line")),
      limits.some(({ code }) => code === "cut-short"),
    ];
  };
  const whole = TEXT.endsWith("\n") ? TEXT : `${TEXT}\n`;
  const [all, ...none] = await counts(whole);
  expect(none).toEqual([false, false]);
  for (const end of [1, 2]) {
    expect(await counts(whole.slice(0, -end))).toEqual([all - 1, true, true]);
  }
});
