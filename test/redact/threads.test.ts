/** NDJSON keeps whose thread a worker is and which function was probed, and redaction keeps who is one. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { keyedFunction } from "../../src/commands/redact.ts";
import type { NormalisedEvent } from "../../src/model/event.ts";
import { Mapping } from "../../src/redact/mapping.ts";
import { EventRedactor } from "../../src/redact/redact-event.ts";
import { Survey } from "../../src/redact/survey.ts";
import { dump } from "../../src/replay/replay.ts";
import { eventJsonLine } from "../../src/report/json/event-json.ts";
import { memorySource, recordingOf, replayMachines } from "../support/memory-source.ts";

const text = gunzipSync(
  readFileSync(
    join(import.meta.dirname, "../../traces/vhost-scsi/6.1.0-50-amd64/12-toggle/trace.txt.gz"),
  ),
).toString("latin1");

/** Without the ioctls: then only the name of the worker tells the machine. */
const nameless = text.replace(/^.*: ioctl(?:_ret)?: .*\n/gm, "");

async function eventsOf(name: string, content: string): Promise<NormalisedEvent[]> {
  const events: NormalisedEvent[] = [];
  await dump(await recordingOf(memorySource(name, content)), (event) => void events.push(event));
  return events;
}

const pidsOf = async (content: string): Promise<(number | null)[]> =>
  (await replayMachines([memorySource("r", content)])).machines.map(({ pid }) => pid);

describe("a dump", () => {
  test("tells the machine by its worker, as the text does", async () => {
    const events = await eventsOf("trace.txt", nameless);
    const drain = events.find((event) => event.event === "drain");
    expect(drain).toMatchObject({ owner: 505 });
    expect(await pidsOf(nameless)).toEqual([505]);
    expect(await pidsOf(events.map(eventJsonLine).join(""))).toEqual([505]);
    // A dump of an older version tells nobody.
    const old = events.map(({ owner: _, ...event }) => eventJsonLine(event as NormalisedEvent));
    expect(await pidsOf(old.join(""))).toEqual([null]);
  });

  test("keeps the process that perf and trace-cmd write beside a thread", async () => {
    const perf = "vhost-4240 4240/4242 [000] 100.000001: probes:desc: (ffffffffc0a0) ";
    const fields = "vq=0xff00aa10 gpa=0x200000 len=4096 iov=0x1 acc=2\n";
    const [event] = await eventsOf("perf.txt", `${perf}${fields}`);
    expect(event).toMatchObject({ pid: 4242, tgid: 4240 });
  });

  test("names the kernel's function, so that the device is no user-space back end's", async () => {
    const events = await eventsOf("trace.txt", text);
    const ioctl = events.find((event) => event.event === "ioctl");
    expect(ioctl).toMatchObject({ driver: "vhost-scsi", fn: "vhost_scsi_ioctl" });
    // The start of the device is not recorded.
    const late = events.filter(
      (event) => event.event !== "ioctl" || (event.cmd & 0xffff) !== 0xaf40,
    );
    const lostOf = async (content: string) => {
      const [machine] = (await replayMachines([memorySource("r", content)])).machines;
      return machine!.policies.map(({ name, lost }) => [name, lost]);
    };
    const isLate = (line: string): boolean => !/: ioctl: .*cmd=0x[0-9a-f]+af40 /.test(line);
    const told = await lostOf(text.split("\n").filter(isLate).join("\n"));
    expect(await lostOf(late.map(eventJsonLine).join(""))).toEqual(told);
    const old = late.map((event) =>
      event.event === "ioctl" ? (({ fn: _, ...rest }) => rest)(event) : event,
    );
    expect(await lostOf((old as NormalisedEvent[]).map(eventJsonLine).join(""))).not.toEqual(told);
  });
});

test("redaction gives a worker and its owner the numbers that they have elsewhere", async () => {
  const events = await eventsOf("trace.txt", text);
  const survey = new Survey();
  for (const event of events) survey.event(event, 0, 0, 0n);
  const prf = keyedFunction(Buffer.from("a key of this test"));
  const map = new Mapping(survey, prf, { keepRuns: false, keepTimes: false });
  const redactor = new EventRedactor(map, 0, 0n, () => null);
  const redacted = events.flatMap((event) => redactor.redact(event));
  const drain = redacted.find((event) => event.event === "drain");
  const owner = redacted.find((event) => event.event === "ioctl");
  expect(drain?.owner).toBe(owner?.pid);
  expect(drain?.owner).not.toBe(505);
  expect(owner).toMatchObject({ fn: "vhost_scsi_ioctl" });
  expect(await pidsOf(redacted.map(eventJsonLine).join(""))).toEqual([owner?.pid]);
});
