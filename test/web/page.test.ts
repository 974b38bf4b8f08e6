/**
 * The page in a real browser. Skipped where there is none; `.ci/run` installs one. Pictures of it are
 * written to build/screenshots for a person to look at.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { mainMigration } from "../../src/answers/stale.ts";
import { fileSource } from "../../src/node/file-source.ts";

import { staleSentence } from "../../src/report/text/migration-text.ts";
import { verdictSentence } from "../../src/report/text/verdict.ts";
import { choosePolicies } from "../../src/vhost/chosen-policy.ts";
import { type OneMachine, recordingOf, replayOne } from "../support/memory-source.ts";
import { rawZstd } from "../support/raw-zstd.ts";

const ROOT = join(import.meta.dirname, "../..");
const TRACES = join(ROOT, "traces");
const SCREENSHOTS = join(ROOT, "build/screenshots");
const CHROMIUM = "/usr/bin/chromium";
const PAGE = `file://${join(ROOT, "dist/vhost-replay.html")}`;
const CLI = join(ROOT, "dist/cli/cli.js");
const ARGUMENTS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const MIGRATION = ["migration/6.1/trace.txt.gz", "migration/6.1/dst.simpletrace.gz"].map((file) =>
  join(TRACES, file),
);
const SMOKE = join(TRACES, "vhost-scsi/6.1.0-50-amd64/02-read-direct/trace.txt.gz");

let folder = "";
let context: BrowserContext;
let page: Page;
let requests: string[] = [];
let complaints: string[] = [];

async function launch(): Promise<void> {
  const { chromium } = await import("playwright-core");
  context = await chromium.launchPersistentContext(join(folder, "profile"), {
    executablePath: CHROMIUM,
    headless: true,
    args: ARGUMENTS,
    viewport: { width: 1280, height: 1000 },
  });
}

async function newPage(): Promise<void> {
  page = await context.newPage();
  requests = [];
  complaints = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
}

/** Opens recordings as a user does, and waits for pictures or for an error. */
async function open(files: string[], address = PAGE): Promise<void> {
  await page.goto(address);
  if (files.length > 0) await page.setInputFiles("input[type=file]", files);
  await page.waitForSelector(".pictures, .failure", { timeout: 60_000 });
}

/** When the worker has drawn, and the view has come to rest. */
async function settled(): Promise<void> {
  await page.waitForSelector("#app[data-drawn]", { state: "attached", timeout: 60_000 });
  await page.waitForFunction(() => location.hash.length > 1);
}

async function resultOf(files: string[]): Promise<OneMachine> {
  const recording = await recordingOf(...files.map((file) => fileSource(file)));
  return replayOne(recording, { policies: choosePolicies(), window: "auto" });
}

const numbers = (row: string[]) => row.map((cell) => Number(cell.replaceAll(",", "")));

describe.skipIf(!existsSync(CHROMIUM))(`the page in a browser, which needs ${CHROMIUM}`, () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "vhost-replay-page-"));
    mkdirSync(SCREENSHOTS, { recursive: true });
    await launch();
  });
  afterAll(async () => {
    await context.close();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => newPage());
  afterEach(async () => {
    await page.close();
    expect(complaints).toEqual([]);
    for (const url of requests) expect(url).toMatch(/^(?:file:\/\/.*\.html(?:#.*)?|blob:null\/)/);
    expect(requests.length).toBeLessThanOrEqual(2);
  });

  const text = () => gunzipSync(readFileSync(SMOKE));
  const cases: [string, () => string[]][] = [
    ["ftrace text in gzip", () => [SMOKE]],
    ["ftrace text in zstd", () => [written("a.txt.zst", rawZstd(text()))]],
    ["trace.dat with zstd inside", () => [join(TRACES, "vhost-scsi-variants/6.1-long/trace.dat")]],
    [
      "trace.dat in zstd, which is spooled",
      () => {
        const dat = readFileSync(join(TRACES, "vhost-scsi-variants/6.1-long/trace.dat"));
        return [written("b.dat.zst", rawZstd(dat))];
      },
    ],
    ["vhost-net", () => [join(TRACES, "vhost-net/6.1.0-50-amd64/n04-mrg/trace.txt.gz")]],
    ["source and destination", () => MIGRATION],
  ];

  function written(name: string, bytes: Uint8Array): string {
    const path = join(folder, name);
    writeFileSync(path, bytes);
    return path;
  }

  test.each(cases)("has the command line's numbers: %s", async (_, filesOf) => {
    const files = filesOf();
    await open(files);
    const result = await resultOf(files);
    const migration = mainMigration(result);
    const told = migration?.from === "qemu" ? migration : null;
    const lead = told ? staleSentence(told, result) : verdictSentence(result);
    expect((await page.textContent("h1"))?.replace(/\s+/g, " ")).toBe(lead);
    const rows = await page.locator("section:has(#policies) tbody tr").all();
    expect(rows.length).toBe(result.policies.length);
    for (const [i, row] of rows.entries()) {
      const cells = numbers(await row.locator("td").allTextContents());
      const { logged, lost, stillLost } = result.policies[i]!;
      expect(cells.slice(0, 3)).toEqual([logged, lost, stillLost]);
    }
    const listed = await page.locator("section:has(#rounds) tbody tr").count();
    expect(listed).toBe(result.rounds.length);
  });

  test("red is counted as the verdict counts it, under each policy", async () => {
    await open(MIGRATION);
    await settled();
    const result = await resultOf(MIGRATION);
    for (const [i, verdict] of mainMigration(result)!.verdicts.entries()) {
      await page.locator("section:has(#policies) tbody button").nth(i).click();
      const red = page.locator(".legend li").first().locator("b");
      await expect.poll(() => red.textContent()).toBe(verdict.best!.toLocaleString("en"));
    }
  });

  test("the picture of a stale page is red at the end and has the ground's colour before", async () => {
    await open(MIGRATION);
    await settled();
    const map = page.locator(".panel.main canvas.map");
    const shot = await map.screenshot();
    const colours = await page.evaluate(async (base64) => {
      const image = new Image();
      image.src = `data:image/png;base64,${base64}`;
      await image.decode();
      const canvas = new OffscreenCanvas(image.width, image.height);
      const context = canvas.getContext("2d", { willReadFrequently: true })!;
      context.drawImage(image, 0, 0);
      const at = (x: number, y: number) => [
        ...context.getImageData(x * image.width, y * 440, 1, 1).data,
      ];
      return { end: at(0.98, 0.15), before: at(0.02, 0.15) };
    }, shot.toString("base64"));
    expect(colours.end.slice(0, 3)).toEqual([200, 32, 40]);
    expect(colours.before.slice(0, 3)).toEqual([246, 248, 250]);
  });

  test("a page's life, its requests and the map go together; the hash has no address", async () => {
    await open(MIGRATION);
    await settled();
    await page.fill("#address", "0x400000");
    await page.press("#address", "Enter");
    await page.waitForSelector(".inspector tbody tr.write");
    const life = (await page.textContent(".inspector"))!;
    expect(life).toContain("the destination has old bytes");
    expect(life).toContain("sent with data");
    expect(life).toMatch(/request 1399\s*trace\.txt\.gz:21349/);
    await page.getByText("its requests").click();
    await expect.poll(() => page.textContent(".requests .rows")).toContain("1399");
    await page.getByText("show it on the map").click();
    await expect.poll(() => page.evaluate(() => location.hash)).toMatch(/^#[\d.]+,[\d.]+,[\d.]+,/);
    expect(await page.evaluate(() => location.hash)).not.toMatch(/0x|400|trace/);
    await page.screenshot({ path: join(SCREENSHOTS, "page-life.png"), fullPage: true });
    const before = await page.evaluate(() => location.hash);
    await page.focus(".pictures");
    await page.keyboard.press("ArrowLeft");
    await expect.poll(() => page.evaluate(() => location.hash)).not.toBe(before);
    await page.keyboard.press("0");
    await expect.poll(() => page.locator(".address").first().textContent()).toBe("0x200000");
    await page.keyboard.press("/");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("address");
  });

  test("the table of requests reaches its last row", async () => {
    await open([join(TRACES, "vhost-scsi-variants/6.1-long/trace.dat")]);
    await settled();
    await page.getByLabel("only in the time").uncheck();
    const requestsTable = page.locator(".requests");
    await expect.poll(() => requestsTable.getAttribute("aria-rowcount")).toBe("20003");
    await requestsTable.evaluate((element) => {
      element.scrollTop = element.scrollHeight;
    });
    const last = requestsTable.locator('.row[aria-rowindex="20003"]');
    await expect.poll(() => last.textContent()).toMatch(/^\s*\d+io/);
  });

  test("the strips' numbers stand in a table, of the time in view", async () => {
    await open(MIGRATION);
    await settled();
    await page.getByRole("button", { name: "whole recording" }).click();
    await page.getByText("Numbers of the pictures as tables").click();
    const value = async (words: string) => {
      const row = page.locator("#numbers-of-strips tr", { hasText: words });
      return Number((await row.locator("td").textContent())!.replaceAll(",", ""));
    };
    const result = await resultOf(MIGRATION);
    const [migration] = result.migrations;
    const { data, zero, unplaced } = migration!.sends;
    await page.waitForFunction(() => {
      const rows = [...document.querySelectorAll("#numbers-of-strips tr")];
      return rows.some((row) => /^syncs\s*86$/.test(row.textContent ?? ""));
    });
    const sent = (await value("pages sent with data")) + (await value("pages sent as zeros"));
    expect(sent).toBe(data + zero - unplaced);
    expect(await value("most requests in flight")).toBe(10);
    expect(await value("missed: destination has old bytes")).toBeGreaterThan(1929);
    expect(await value("while no log was on")).toBeGreaterThan(0);
    await page.screenshot({ path: join(SCREENSHOTS, "numbers.png"), fullPage: true });
    // Before the migration: nothing is sent, and no log is on.
    await page.focus(".pictures");
    for (let i = 0; i < 4; i++) await page.keyboard.press("+");
    for (let i = 0; i < 30; i++) await page.keyboard.press("ArrowLeft");
    await page.waitForFunction(() =>
      /^dirty log on, s\s*0\.000000$/m.test(
        document.querySelector("#numbers-of-strips tr")?.textContent?.trim() ?? "",
      ),
    );
    expect(await page.locator("#numbers-of-strips tr", { hasText: "sent with data" }).count()).toBe(
      0,
    );
  });

  test("on paper the words stand beside their pictures, all of it fits, and the ground is light", async () => {
    await page.emulateMedia({ colorScheme: "dark" });
    await open(MIGRATION);
    await settled();
    const ground = () => page.getAttribute("#app", "data-ground");
    expect(await ground()).toBe("dark");
    const offsets = () =>
      page.evaluate(() => {
        const box = (of: Element) => of.getBoundingClientRect();
        const scale = box(document.querySelector(".panel.main canvas.strips")!).height;
        const top = box(document.querySelector(".panel.main canvas.strips")!).top;
        const names = [...document.querySelectorAll(".strip-name, .address")];
        return names.map((name) => Math.round(((box(name).top - top) / scale) * 100));
      });
    const onScreen = await offsets();
    const shade = () =>
      page.evaluate(
        () => getComputedStyle(document.querySelector(".panel.main canvas.map")!).filter,
      );
    expect(await shade()).toBe("none");
    // What a browser does to print, step by step; the page of A4 is 718 wide between its margins.
    await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
    await page.emulateMedia({ colorScheme: "light", media: "print" });
    await page.setViewportSize({ width: 718, height: 1000 });
    const onPaper = await offsets();
    expect(onPaper.length).toBeGreaterThan(10);
    for (const [i, offset] of onPaper.entries()) {
      // Words keep their size in points, so their upper edges move by a part of a line.
      expect(Math.abs(offset - onScreen[i]!)).toBeLessThanOrEqual(3);
    }
    const right = await page.evaluate(
      () => document.querySelector(".pictures")!.getBoundingClientRect().right,
    );
    expect(right).toBeLessThanOrEqual(718);
    await page.screenshot({ path: join(SCREENSHOTS, "print.png"), fullPage: true });
    await page.evaluate(() => dispatchEvent(new Event("afterprint")));
    await page.emulateMedia({ colorScheme: "dark", media: "screen" });
    await page.setViewportSize({ width: 1280, height: 1000 });
    // The button waits for pictures on a light ground, and puts the others back.
    await page.waitForFunction(() => document.querySelector("#app")!.matches("[data-ground=dark]"));
    const printed = page.evaluate(
      () =>
        new Promise((resolve) => {
          window.print = () => resolve(document.querySelector("#app")!.getAttribute("data-ground"));
        }),
    );
    await page.getByRole("button", { name: "print" }).click();
    expect(await printed).toBe("light");
    await page.waitForFunction(() => document.querySelector("#app")!.matches("[data-ground=dark]"));
  });

  test("errors name no option of a command line, and a form can mend them", async () => {
    const inflight = (file: string) => join(TRACES, "migration/6.1-inflight", file);
    const files = ["trace.txt.gz", "src.log.gz", "dst.log.gz"].map(inflight);
    await open(files);
    const failure = (await page.textContent(".failure"))!;
    expect(failure).toMatch(/clock/);
    expect(failure).not.toMatch(/--|SECONDS|FILE/);
    await page.setInputFiles("input[type=file]", [inflight("clock.txt")]);
    await page.waitForSelector(".pictures", { timeout: 60_000 });
    expect(await page.textContent("h1")).toMatch(/^Stale at the destination/);
  });

  test("a bundle is opened with what is known beside its recordings", async () => {
    const tar = join(folder, "case.tar");
    const parts = ["trace.txt.gz", "src.log.gz", "dst.log.gz", "clock.txt"];
    spawnSync("tar", ["-cf", tar, "-C", join(TRACES, "migration/6.1-inflight"), ...parts]);
    await open([tar]);
    expect(await page.textContent("h1")).toMatch(/^Stale at the destination/);
  });

  test("another recording is compared with, and one that cannot be read leaves the first as it is", async () => {
    await open(MIGRATION);
    await settled();
    const compare = async (...files: string[]) => {
      await page.setInputFiles("#compare-files", files);
      const name = files.map((file) => file.split("/").at(-1)).join(" + ");
      const told = page.locator("section:has(#compare)", { hasText: name });
      await told.locator(":is(tbody tr, .failure)").first().waitFor();
      const row = page.locator("section:has(#compare) tbody tr").first();
      if ((await row.count()) === 0) return page.textContent("section:has(#compare) .failure");
      return numbers((await row.locator("td").allTextContents()).slice(0, 5));
    };
    expect(await compare(...MIGRATION)).toEqual([1941, 1941, 1941, 0, 0]);
    const [here, there, both, onlyHere, onlyThere] = (await compare(SMOKE)) as number[];
    const { stillLost } = (await resultOf([SMOKE])).policies[0]!;
    expect([here, there]).toEqual([1941, stillLost]);
    expect([both! + onlyHere!, both! + onlyThere!]).toEqual([1941, stillLost]);
    expect(stillLost).toBeLessThan(1941);
    expect(await compare(join(ROOT, "package.json"))).toMatch(
      /^package\.json: expected a recording/,
    );
    expect(await page.textContent("h1")).toContain("1929 pages");
  });

  test("what is no recording is refused in words", async () => {
    await open([join(ROOT, "package.json")]);
    expect(await page.textContent(".failure")).toMatch(/^package\.json: expected a recording/);
  });

  test("a history, and the page of `report --html`, need no recording", async () => {
    const [file, html] = [join(folder, "h.vhist"), join(folder, "r.html")];
    const run = (...words: string[]) => spawnSync(process.execPath, [CLI, ...words]).status;
    expect(run("history", ...MIGRATION, "-o", file)).toBe(1);
    await open([file]);
    const sentence = await page.textContent("h1");
    expect(sentence).toContain("1929 pages");
    expect(run("report", ...MIGRATION, "--html", html)).toBe(1);
    await page.close();
    await newPage();
    const bytes = readFileSync(html, "latin1");
    expect(bytes).not.toContain(TRACES);
    await open([], `file://${html}`);
    await settled();
    expect(await page.textContent("h1")).toBe(sentence);
    await expect.poll(() => page.textContent(".legend li b")).toBe("1,929");
  });

  test.each([
    [1280, false],
    [1280, true],
    [1920, false],
    [1920, true],
  ])("pictures to look at, %s wide, dark %s", async (width, dark) => {
    await page.setViewportSize({ width, height: 1000 });
    await page.emulateMedia({ colorScheme: dark ? "dark" : "light" });
    await open(MIGRATION);
    await settled();
    const name = `migration-${width}-${dark ? "dark" : "light"}.png`;
    await page.screenshot({ path: join(SCREENSHOTS, name), fullPage: true });
    const overflow = await page.evaluate(() => document.body.scrollWidth - innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
  });
});
