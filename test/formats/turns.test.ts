/** Records of many CPUs come in the order of time, at equal times in the order of the CPUs. */
import fc from "fast-check";
import { expect, test } from "vitest";
import type { NormalisedEvent } from "../../src/model/event.ts";
import { dump } from "../../src/replay/replay.ts";
import { ringPage } from "../support/make-ring-page.ts";
import { ByteWriter, formatText, headerPageText, makeTraceDat } from "../support/make-trace-dat.ts";
import { memorySource, recordingOf } from "../support/memory-source.ts";

const POP = 1500;

/** A pop whose head is its number, so that each one can be told from the others. */
function pop(head: number): Uint8Array {
  return new ByteWriter(false).int(2, POP).int(2, 0).int(4, 77).int(8, 0x1000).int(4, head).done();
}

interface Item {
  cpu: number;
  ns: number;
  head: number;
}

/** A recording with these events, each on its CPU; events of one CPU are in the order of time. */
function datOf(items: readonly Item[], cpus: number): Uint8Array {
  const pageOf = (cpu: number): Uint8Array => {
    const own = items.filter((item) => item.cpu === cpu);
    // A page of zeros is none that a kernel writes.
    if (own.length === 0) return new Uint8Array(0);
    let at = own[0]!.ns;
    const events = own.map(({ ns, head }) => {
      const delta = ns - at;
      at = ns;
      return { kind: "event" as const, delta, payload: pop(head) };
    });
    return ringPage({ timestamp: BigInt(own[0]!.ns), items: events });
  };
  return makeTraceDat({
    version: 7,
    compression: "none",
    headerPage: headerPageText(4096, 8),
    events: [
      {
        system: "vl",
        format: formatText("pop", POP, [
          ["unsigned long __probe_func", 8, 8, 0],
          ["s32 head", 16, 4, 1],
        ]),
      },
    ],
    buffers: [
      {
        name: "",
        clock: "mono",
        subBufferSize: 4096,
        cpus: Array.from({ length: cpus }, (_, cpu) => ({ cpu, data: pageOf(cpu) })),
      },
    ],
  });
}

const streams = fc.integer({ min: 1, max: 300 }).chain((cpus) =>
  fc.record({
    cpus: fc.constant(cpus),
    events: fc.array(
      fc.record({
        cpu: fc.integer({ min: 0, max: cpus - 1 }),
        // Few times, so that many events share one.
        ns: fc.integer({ min: 1, max: 40 }).map((n) => n * 1000),
      }),
      { maxLength: 200 },
    ),
  }),
);

test("any events on up to 300 CPUs come by time, then by CPU", async () => {
  await fc.assert(
    fc.asyncProperty(streams, async ({ cpus, events }) => {
      const ordered = events
        .map(({ cpu, ns }, i) => ({ cpu, ns, i }))
        .sort((a, b) => a.ns - b.ns || a.cpu - b.cpu || a.i - b.i)
        .map(({ cpu, ns }, i) => ({ cpu, ns, head: i + 1 }));
      const seen: NormalisedEvent[] = [];
      await dump(
        await recordingOf(memorySource("trace.dat", datOf(ordered, cpus))),
        (event) => void seen.push(event),
      );
      expect(seen.map((event) => (event as { head?: number }).head)).toEqual(
        ordered.map(({ head }) => head),
      );
    }),
    { numRuns: 60 },
  );
});
