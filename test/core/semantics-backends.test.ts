/** Conformance cases C60, C61 and C74: what back ends in user space log. */
import { describe, expect, test } from "vitest";
import type { NormalisedEvent } from "../../src/model/event.ts";
import { findPolicy } from "../../src/vhost/policy.ts";
import { type Buffer, Guest } from "../support/guest.ts";
import { memorySource, replayAll } from "../support/memory-source.ts";
import { pageList } from "../support/oracle/case.ts";

const RESP: Buffer = [0x201100, 108];

/** Pages that a policy logs, without the used ring. */
async function loggedBy(policy: string, events: readonly NormalisedEvent[]): Promise<string> {
  const logged: number[] = [];
  const text = events.map((event) => JSON.stringify(event)).join("\n");
  await replayAll([memorySource("case", text)], {
    policies: [{ policy: findPolicy(policy), alias: null }],
    onSync: ({ pages }) => {
      logged.push(...pages(0));
    },
  });
  return pageList(logged.filter((page) => page > 0x100));
}

/** One request, answered with a used length, as a back end in user space does. */
function answered(buffer: Buffer, usedLength: number): NormalisedEvent[] {
  const guest = new Guest();
  guest.request({ writes: [RESP, buffer] });
  return guest.events.map((event) =>
    event.event === "used" ? { ...event, len: usedLength } : event,
  );
}

test.each([
  ["linux-7.2", ""],
  ["spdk-split", "201 202"],
  ["libvhost-user", "201 202"],
])("C74 popped before LOG_ALL, completed after: %s logs %j", async (policy, pages) => {
  const guest = new Guest({ logAll: false });
  guest.drain().take(2, 0, [], [RESP, [0x202000, 4096]]);
  guest.setLogAll(true);
  guest.used(2, 0);
  expect(await loggedBy(policy, guest.events)).toBe(pages);
});

describe("a READ of 4096 bytes", () => {
  const full = answered([0x202000, 4096], 4204);
  const short = answered([0x202000, 8192], 4204);

  test.each(["spdk-split", "libvhost-user", "linux-7.2"])(
    "C60 by %s logs response and data",
    async (policy) => {
      expect(await loggedBy(policy, full)).toBe("201 202");
    },
  );

  test("C61 into 8192 bytes: libvhost-user logs what the used length tells", async () => {
    expect(await loggedBy("libvhost-user", short)).toBe("201 202");
  });

  test("C61 SPDK and the kernel log the whole buffer", async () => {
    expect(await loggedBy("spdk-split", short)).toBe("201 202 203");
    expect(await loggedBy("linux-7.2", short)).toBe("201 202 203");
  });

  test("without a used length, as vhost-scsi returns it, libvhost-user counts the whole buffer", async () => {
    expect(await loggedBy("libvhost-user", answered([0x202000, 8192], 0))).toBe("201 202 203");
  });

  test("spdk-packed logs no data", async () => {
    expect(await loggedBy("spdk-packed", full)).toBe("");
  });
});

test("the first length that is told changes nothing of what came before it in the round", async () => {
  const guest = new Guest();
  guest.request({ head: 0, writes: [RESP, [0x202000, 8192]] });
  guest.request({
    head: 1,
    writes: [
      [0x211100, 108],
      [0x212000, 8192],
    ],
  });
  const events = guest.events.map((event) =>
    event.event === "used" && event.head === 1 ? { ...event, len: 4204 } : event,
  );
  expect(await loggedBy("libvhost-user", events)).toBe("201 202 203 211 212");
});
