/**
 * What a history and the page cost, on the recording that is named (default: the 300 MB input, made when
 * it is missing): CPU of a replay without and with a history, and, where there is Chromium, how long the
 * page takes to its first picture, to draw it again, and how much memory its renderer has then.
 *
 *   node bench/page.mjs [FILE]
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { makeHistory } from "../dist/src/history/index.js";
import { choosePolicies, replay } from "../dist/src/index.js";
import { fileSource, loadCore, nodeSurroundings } from "../dist/src/node/index.js";
import { makeInputs, parseSize } from "./make-input.mjs";

const CHROMIUM = "/usr/bin/chromium";
const RUNS = 5;
const file = process.argv[2] ?? makeInputs({ size: parseSize("300M") }).none;
const module = await loadCore();
const options = { policies: choosePolicies(), window: "auto" };
const tool = { name: "bench", version: "0" };
const recording = () => ({
  sources: [fileSource(file)],
  surroundings: nodeSurroundings(() => {}),
  module,
});

/** The least CPU of some runs, seconds. */
async function least(work) {
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    const before = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1e6);
  }
  return best;
}

const row = (...cells) => console.log(`| ${cells.join(" | ")} |`);
const history = (level) => makeHistory(recording(), options, level, tool);
const plain = await least(() => replay(recording(), options));
row("what", "CPU, s", "of a plain replay", "gzip, MB");
row("---", "---", "---", "---");
row("plain replay", plain.toFixed(2), "1.00", "");
for (const level of ["rounds", "events"]) {
  const cost = await least(() => history(level));
  const { bytes } = await history(level);
  row(
    `history, ${level}`,
    cost.toFixed(2),
    (cost / plain).toFixed(2),
    (gzipSync(bytes).length / 1e6).toFixed(2),
  );
}

/** Most memory that a process of this browser has had, MB. */
function renderersPeak(profile) {
  const peaks = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        const words = readFileSync(`/proc/${pid}/cmdline`, "latin1");
        if (!words.includes("--type=renderer") || !words.includes(profile)) return 0;
        return Number(
          /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0,
        );
      } catch {
        return 0;
      }
    });
  return Math.max(0, ...peaks) / 1000;
}

if (existsSync(CHROMIUM)) {
  const { chromium } = await import("playwright-core");
  const profile = mkdtempSync(join(tmpdir(), "vhost-replay-bench-"));
  const args = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"];
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: CHROMIUM,
    headless: true,
    args,
  });
  const page = await context.newPage();
  await page.goto(new URL("../dist/vhost-replay.html", import.meta.url).href);
  const began = performance.now();
  await page.setInputFiles("input[type=file]", file);
  await page.waitForSelector("#app[data-drawn]", { state: "attached", timeout: 600_000 });
  const wall = (performance.now() - began) / 1000;
  const drawn = async () => Number(await page.getAttribute("#app", "data-drawn"));
  await page.selectOption("select:has(option[value=states])", "states");
  await page.waitForTimeout(2000);
  await page.focus(".pictures");
  const times = [];
  for (const key of ["ArrowLeft", "ArrowRight", "-", "0"]) {
    await page.keyboard.press(key);
    await page.waitForTimeout(500);
    times.push(await drawn());
  }
  console.log(
    `\nfirst picture ${wall.toFixed(1)} s wall, redraw ${Math.min(...times).toFixed(0)} to ` +
      `${Math.max(...times).toFixed(0)} ms, renderer peak ${renderersPeak(profile).toFixed(0)} MB`,
  );
  await context.close();
  rmSync(profile, { recursive: true, force: true });
}
