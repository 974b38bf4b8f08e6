/** `history`, `view` and `report --html`: what they write, and what they say. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openerOf } from "../../src/commands/view.ts";
import { readHistory } from "../../src/history/index.ts";

const ROOT = join(import.meta.dirname, "../..");
const CLI = join(ROOT, "dist/cli/cli.js");
const SMOKE = join(ROOT, "traces/vhost-scsi/6.1.0-50-amd64/01-smoke/trace.txt.gz");

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "vhost-replay-page-commands-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function run(...words: string[]) {
  const env = { ...process.env, DISPLAY: "", WAYLAND_DISPLAY: "", NO_COLOR: "1" };
  return spawnSync(process.execPath, [CLI, ...words], { encoding: "utf8", cwd: folder, env });
}

/** The history that a page carries. */
function historyIn(file: string) {
  const html = readFileSync(join(folder, file), "utf8");
  const [, name, base64] = /id="history" data-name="([^"]*)">([^<]*)</.exec(html)!;
  return { name, history: readHistory(file, gunzipSync(Buffer.from(base64!, "base64"))) };
}

test("history writes one file, says what it is, and ends like report", () => {
  const { status, stdout, stderr } = run("history", SMOKE, "-o", "h.vhist");
  expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
  expect(stderr).toMatch(/^h\.vhist: [\d.]+ KiB, level events, 271 events\n$/);
  const history = readHistory("h", gunzipSync(readFileSync(join(folder, "h.vhist"))));
  expect(history.machines[0]!.result.policies.map(({ lost }) => lost)).toEqual([10, 0]);
  expect(readdirSync(folder)).toEqual(["h.vhist"]);
});

test("level rounds has no single events, another level is refused", () => {
  expect(run("history", SMOKE, "-o", "h.vhist", "--level", "rounds", "--quiet").stderr).toBe("");
  const history = readHistory("h", gunzipSync(readFileSync(join(folder, "h.vhist"))));
  expect([history.level, history.machines[0]!.table("writes").length]).toEqual(["rounds", 0]);
  expect(run("history", SMOKE, "-o", "h", "--level", "pages").status).toBe(2);
});

test("a folder that is not there leaves nothing behind, and is a trouble of the user", () => {
  const { status, stderr } = run("history", SMOKE, "-o", "none/h.vhist");
  expect(status).toBe(2);
  expect(stderr).toMatch(/ENOENT/);
});

test("view writes the page with the recording's name, and no path", () => {
  const { status, stderr } = run("view", SMOKE);
  expect({ status, stderr: stderr.replace(/[\d.]+ KiB/, "N") }).toEqual({
    status: 1,
    stderr: "trace.txt.gz.html: N; open it in a browser\n",
  });
  expect(historyIn("trace.txt.gz.html").name).toBe("trace.txt.gz");
  expect(readFileSync(join(folder, "trace.txt.gz.html"), "latin1")).not.toContain(ROOT);
});

test("report --html prints the report as ever, and writes the page beside it", () => {
  const plain = run("report", SMOKE);
  const { status, stdout } = run("report", SMOKE, "--html", "r.html");
  expect({ status, stdout }).toEqual({ status: plain.status, stdout: plain.stdout });
  expect(historyIn("r.html").history.level).toBe("events");
});

test("beyond the budget the page has rounds only, and that is said", () => {
  const { stderr } = run("report", SMOKE, "--html", "r.html", "--html-budget", "0");
  expect(stderr).toMatch(/rounds only: single events are beyond the budget\n$/);
  expect(historyIn("r.html").history.level).toBe("rounds");
});

test("a budget that is no number is refused, and nothing is written", () => {
  const { status, stderr } = run("report", SMOKE, "--html", "r.html", "--html-budget", "x");
  expect([status, existsSync(join(folder, "r.html"))]).toEqual([2, false]);
  expect(stderr).toContain("--html-budget: expected a whole number");
});

test("a file is opened where there is a display", () => {
  expect(openerOf("linux", {})).toBe(null);
  expect(openerOf("linux", { DISPLAY: ":0" })).toBe("xdg-open");
  expect(openerOf("linux", { WAYLAND_DISPLAY: "wayland-0" })).toBe("xdg-open");
  expect(openerOf("darwin", {})).toBe("open");
});
