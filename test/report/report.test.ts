import { describe, expect, test } from "vitest";
import { judge } from "../../src/answers/affected.ts";
import { compareImages, firstDifference } from "../../src/answers/log-difference.ts";
import { statusOf } from "../../src/answers/lost.ts";
import type { ReplayResult } from "../../src/model/result.ts";
import { eventJsonLine } from "../../src/report/json/event-json.ts";
import { jsonText } from "../../src/report/json/json-text.ts";
import { requestJsonLine } from "../../src/report/json/request-json.ts";
import { jsonDocument } from "../../src/report/json/result-json.ts";
import { seconds } from "../../src/report/text/number-text.ts";
import { reportText as fullText, SHOWN_FINDINGS } from "../../src/report/text/report-text.ts";
import type { TextStyle } from "../../src/report/text/text-layout.ts";
import { alignColumns, printable, textStyle, wrapText } from "../../src/report/text/text-layout.ts";
import { verdictSentence } from "../../src/report/text/verdict.ts";
import { event, machineOf, policyResult, request, resultOf } from "../support/report-fixture.ts";

/** Without the first screen, which answers for the kernel that ran. */
function reportText(result: ReplayResult, style: TextStyle, shown = SHOWN_FINDINGS): string {
  const asked = {
    policies: [],
    window: "auto",
    syncMarker: null,
    ran: null,
    machine: null,
  } as const;
  const answer = {
    asked: { ...asked, policies: [] },
    result,
    affected: result.machines.map((machine) => judge(machine, null)),
  };
  return fullText(answer, style, shown, { asksAffected: false, qemu: null, files: [] });
}

const none = (name: string) => policyResult({ name, alias: "patched", lost: 0 });

describe("the verdict", () => {
  test("names what each vhost would have left out, with its kernels", () => {
    expect(
      verdictSentence(
        machineOf({
          policies: [policyResult({ lost: 412 }), none("linux-6.16"), none("linux-7.2")],
        }),
      ),
    ).toBe(
      "Unpatched vhost-scsi (linux-6.1) would have left 412 guest pages out of the dirty log; " +
        "patched (linux-6.16, linux-7.2) would have left none.",
    );
  });

  test("is in the singular for one page, and needs no alias", () => {
    const policies = [policyResult({ alias: null, lost: 1 }), none("linux-6.16")];
    expect(verdictSentence(machineOf({ policies }))).toBe(
      "The vhost-scsi of linux-6.1 would have left 1 guest page out of the dirty log; " +
        "patched (linux-6.16) would have left none.",
    );
  });

  test("says that logging was assumed, and why", () => {
    const result = { window: "assumed", policies: [policyResult()] } as const;
    const policies = [...result.policies];
    expect(verdictSentence(machineOf({ ...result, policies, windowWhy: "never-on" }))).toMatch(
      /3 guest pages out of the dirty log, had logging been on \(the recording never switches it on\)\.$/,
    );
    expect(verdictSentence(machineOf({ ...result, policies, windowWhy: "asked" }))).toMatch(
      /, had logging been on throughout\.$/,
    );
  });

  test.each([
    ["lower", "at least 3 guest pages", "none as far as this recording shows."],
    ["upper", "at most 3 guest pages", "none."],
    ["bounds", "about 3 guest pages", "none as far as this recording shows."],
  ] as const)("of a result that is a %s bound says so", (certainty, some, nothing) => {
    const sentence = verdictSentence(machineOf({ certainty }));
    expect(sentence).toContain(`would have left ${some} out`);
    expect(sentence).toMatch(new RegExp(`would have left ${nothing.replace(".", "\\.")}$`));
  });

  test("of a recording in which nothing was written while logging was on says that", () => {
    const policies = [none("linux-6.1")];
    expect(verdictSentence(machineOf({ written: 0, policies }))).toBe(
      "Nothing was lost: vhost-scsi wrote no guest page while logging was on.",
    );
  });

  test("has status 1 when any policy loses, 0 when none does, 3 without a verdict", () => {
    expect(statusOf({ result: resultOf() })).toBe(1);
    expect(statusOf({ result: resultOf({ policies: [none("linux-6.16")] }) })).toBe(0);
    expect(statusOf({ result: resultOf({ verdict: false }) })).toBe(3);
  });
});

test("an alias begins the sentence as its title spells it", () => {
  const sentence = (alias: string, title: string) =>
    verdictSentence(resultOf({ policies: [policyResult({ alias, title })] }).machines[0]!);
  expect(sentence("spdk", "SPDK, split rings")).toMatch(/^SPDK vhost-scsi \(/);
  expect(sentence("unpatched", "vhost-scsi before 6.16")).toMatch(/^Unpatched vhost-scsi \(/);
});

test("a report puts the verdict first and the limits last", () => {
  expect(reportText(resultOf(), textStyle(false))).toBe(`\
Unpatched vhost-scsi (linux-6.1) would have left 3 guest pages out of the dirty
log; patched (linux-6.16) would have left none.

policy                 logged  lost  still lost
linux-6.1   unpatched       1     3           2
linux-6.16  patched         4     0           0

Pages of 4 KiB, each counted once; 4 pages written in 2 rounds. lost: written
and not logged in some round; still lost: and not logged since.

m.txt: ftrace text, gzip, 2 CPUs, clock mono, 12.747166 to 31.300000 s, 21
  events

Lost by linux-6.1 (unpatched); a loss: one page in one round

  queue  losses  requests  rounds  first in  ended by
  io 2        3         1       1         1  sync 8 end
      I/O buffers, which this vhost never logs
      0x214000-0x216fff
      first: 4096 bytes at 0x214200-0x2151ff, request 10, head 51
        popped     31.218000  m.txt:399
        completed  31.220535  m.txt:403

What this recording cannot tell

  - 120 events were lost. (the true numbers may be higher)
    m.txt:300
`);
});

test("a report with colour is the same text with emphasis", () => {
  const colored = reportText(resultOf(), textStyle(true));
  expect(colored).toContain("\x1b[1m");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escapes are what is removed
  expect(colored.replace(/\x1b\[\d+m/g, "")).toBe(reportText(resultOf(), textStyle(false)));
});

test("a report shows so many findings and says how many more there are", () => {
  const [one] = machineOf().findings;
  const text = reportText(resultOf({ findings: [one!, one!, one!] }), textStyle(false), 1);
  expect(text.match(/first: 4096 bytes/g)).toHaveLength(1);
  expect(text).toContain("and 2 more findings; --all shows all");
});

test("a control character in a recording's text does not reach the terminal", () => {
  expect(printable("a\x1b[2Jb\nc\x9bd\x7f")).toBe("a\\x1b[2Jb\\x0ac\\x9bd\\x7f");
  // What turns the direction of text, and what cannot be seen.
  expect(printable("a\u202eb\u200bc\u2028d\u{e0041}é")).toBe(
    "a\\u202eb\\u200bc\\u2028d\\u{e0041}é",
  );
  const limits = [{ code: "x", text: "evil \x1b]0;t\x07", effect: null, places: [] }];
  expect(reportText(resultOf({ limits }), textStyle(false))).not.toContain("\x1b");
});

test("times are rounded to microseconds, as ftrace and trace-cmd print them", () => {
  expect(seconds("12747166999")).toBe("12.747167");
  expect(seconds("12747166499")).toBe("12.747166");
  expect(seconds("12747166500")).toBe("12.747167");
  expect(seconds("999999999500")).toBe("1000.000000");
  expect(seconds("-400")).toBe("0.000000");
  expect(seconds("5")).toBe("0.000000");
  expect(seconds("-1500000")).toBe("-0.001500");
});

test("columns are aligned and no line ends in a space", () => {
  expect(
    alignColumns(
      [
        ["a", "1", ""],
        ["bcd", "22", "x"],
      ],
      "lrl",
    ),
  ).toEqual(["a     1", "bcd  22  x"]);
});

test("a paragraph is broken at spaces only", () => {
  expect(wrapText("one two threefourfive six", "- ", "  ", 9)).toEqual([
    "- one two",
    "  threefourfive",
    "  six",
  ]);
});

test("a request's JSON has the documented keys in the documented order", () => {
  expect(Object.keys(JSON.parse(requestJsonLine(request)))).toEqual(
    "machine serial head queue device vq state popped used captured freed cause lun cdb reads writes written".split(
      " ",
    ),
  );
  expect(JSON.parse(requestJsonLine(request)).writes).toEqual([{ gpa: "0x214200", len: 4096 }]);
});

test("an event's keys come in one order, whatever order they were made in", () => {
  expect(eventJsonLine(event)).toBe(
    '{"event":"desc","ts":"12931782000","cpu":0,"pid":287,"vq":"0xff18","gpa":"0x1000003b9",' +
      '"len":51,"acc":1,"iov":"0xff20","place":"m.txt:3"}\n',
  );
});

describe("comparing two images", () => {
  test("counts each direction, and a missing tail is zero", () => {
    const difference = compareImages(
      Uint8Array.of(0b0110, 0, 0, 0x80),
      Uint8Array.of(0b0101_0100, 0xff),
    );
    expect(difference.extra).toEqual({
      pages: 2,
      runs: [
        { gfn: 1, pages: 1 },
        { gfn: 31, pages: 1 },
      ],
      moreRuns: 0,
    });
    expect(difference.missing).toEqual({
      pages: 10,
      runs: [
        { gfn: 4, pages: 1 },
        { gfn: 6, pages: 1 },
        { gfn: 8, pages: 8 },
      ],
      moreRuns: 0,
    });
    expect(firstDifference(difference)).toEqual({ gfn: 1, side: "extra" });
  });

  test("keeps so many runs and counts the others", () => {
    const { missing } = compareImages(new Uint8Array(0), Uint8Array.of(0b1101_0101), 2);
    expect(missing).toEqual({
      pages: 5,
      runs: [
        { gfn: 0, pages: 1 },
        { gfn: 2, pages: 1 },
      ],
      moreRuns: 2,
    });
  });

  test("has no first difference when there is none", () => {
    expect(firstDifference(compareImages(Uint8Array.of(1, 0), Uint8Array.of(1)))).toBeUndefined();
  });
});

test("JSON shows what cannot be seen as escapes, and means the same", () => {
  const value = { text: "a\u202eb\u2066c\u00add\ufeffe\u200bf\u{e0041}\x7f\x9b\u2028é" };
  const text = jsonText(value);
  expect(JSON.parse(text)).toEqual(value);
  expect(text).toBe(
    '{"text":"a\\u202eb\\u2066c\\u00add\\ufeffe\\u200bf\\udb40\\udc41\\u007f\\u009b\\u2028é"}',
  );
  const event = { event: "marker", ts: "1", cpu: 0, pid: 1, text: "\u202e" } as const;
  for (const printed of [jsonDocument(value), eventJsonLine(event)]) {
    expect(printed).not.toMatch(/[\u202e\u2066\x9b]/);
  }
});
