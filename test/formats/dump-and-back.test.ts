/** What `dump` writes is a recording: it is read back as what was dumped, whatever that was. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { run } from "../../src/commands/dump.ts";
import type { NormalisedEvent } from "../../src/model/event.ts";
import { dump, replay } from "../../src/replay/replay.ts";
import { coreModule, memorySource, recordingOf, replayAll } from "../support/memory-source.ts";
import { fakeApi, fakeIo } from "../support/report-fixture.ts";
import { errorsOf } from "../support/schemas.ts";

const TRACE = gunzipSync(
  readFileSync(
    join(import.meta.dirname, "../../traces/vhost-scsi/7.2.13+deb14-amd64/01-smoke/trace.txt.gz"),
  ),
).toString("latin1");

/** What the command prints of a recording. */
async function printed(content: string): Promise<string> {
  const io = fakeIo();
  const module = await coreModule();
  const openSources = () => [memorySource("t", content)];
  const api = { ...fakeApi(), dump, replay, openSources, module };
  expect(await run(api, io, { recordings: ["t"] })).toBe(0);
  return io.stdout;
}

async function eventsOf(content: string): Promise<NormalisedEvent[]> {
  const events: NormalisedEvent[] = [];
  await dump(await recordingOf(memorySource("t", content)), (event) => {
    const { place: _, ...rest } = event;
    events.push(rest as NormalisedEvent);
  });
  return events;
}

describe("numbers of 64 bits", () => {
  const returned = (value: string) =>
    TRACE.replace(/(ioctl_ret: .*) ret=0x0|(ioctl_ret: .*) ret=0/, `$1$2 ret=${value}`);

  test.each([
    ["-22", -22],
    ["-9007199254740991", -9007199254740991],
    ["-9007199254740993", "-9007199254740993"],
    ["9223372036854775807", "9223372036854775807"],
    ["-9223372036854775808", "-9223372036854775808"],
  ])("a return of %s is exact, and reads back", async (value, expected) => {
    const text = await printed(returned(value));
    const lines = text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const first = lines.find(({ event }) => event === "ioctl_ret");
    expect(first.ret).toBe(expected);
    expect(errorsOf("dump", first)).toEqual([]);
    expect(await eventsOf(text)).toEqual(await eventsOf(returned(value)));
  });
});

describe("a recording without an event of ours", () => {
  test.each([
    [
      "ftrace text",
      TRACE.split("\n")
        .filter((line) => line.startsWith("#"))
        .join("\n"),
    ],
    ["another's events", "   bash-1  [000] .....  1.000000: sched_switch: prev_comm=a\n"],
    ["a dump of one", '{"event":"recording","clock":"mono","gaps":[{"cpu":1,"lost":5}]}\n'],
  ])("%s gives one line, which is read as one", async (_name, content) => {
    const text = await printed(content);
    expect(text.trimEnd().split("\n")).toHaveLength(1);
    expect(errorsOf("dump", JSON.parse(text))).toEqual([]);
    expect(await printed(text)).toBe(text);
    const result = await replayAll([memorySource("t", text)]);
    expect(result.eventsReplayed).toBe(0);
    expect(result.verdict).toBe(false);
  });

  test("keeps what it says of losses and of its clock", async () => {
    const lost = "# tracer: nop\n# entries-in-buffer/entries-written: 0/17   #P:2\n";
    expect(JSON.parse(await printed(lost))).toMatchObject({ event: "gap", lost: 17 });
    const clock = '{"event":"recording","clock":"mono"}\n';
    expect(JSON.parse(await printed(clock)).clock).toBe("mono");
  });
});
