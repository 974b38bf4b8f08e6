/**
 * Who runs on which form of the input. `needs` are the programs or files without which a contender
 * is skipped by name; `once` marks one that is too slow for more than one round. The first one of a
 * form is what the others' ratio refers to.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
export const CLI = join(ROOT, "dist/cli/cli.js");

/** Different masks, so that none is computed for another. */
export const EIGHT = [
  ...["linux-6.16", "linux-6.1", "linux-7.2", "series-v1"],
  ...["series:1-7", "spdk-split", "libvhost-user", "vhost-vsock"],
];

/** Our own command. Status 1 is the answer "pages lost". */
function own(name, ...args) {
  const command = [process.execPath, CLI, ...args];
  return { name, needs: [CLI], statuses: [0, 1], command };
}

function product(file, out) {
  const eight = EIGHT.flatMap((name) => ["--policy", name]);
  return [
    own("vhost-replay report", "report", file, "--quiet"),
    own("vhost-replay report, 1 policy", "report", file, "--quiet", "--policy", EIGHT[0]),
    own("vhost-replay report, 8 policies", "report", file, "--quiet", ...eight),
    own("vhost-replay log", "log", file, "--policy", "unpatched", "-o", out, "--quiet"),
  ];
}

function shell(name, needs, line) {
  return { name, needs, command: ["sh", "-c", line] };
}

/** `wanted` is a fixed string; mawk takes it as a pattern. */
function floor(file, wanted) {
  return [
    shell("mawk count", ["mawk"], `${mawkCount(wanted)} ${quote(file)}`),
    { name: "grep -c", needs: ["grep"], command: ["grep", "-c", wanted, file] },
    { name: "wc -l", needs: ["wc"], command: ["wc", "-l", file] },
  ];
}

function mawkCount(wanted) {
  return `mawk '/${wanted}/{n++} END{print n+0}'`;
}

function traceCmd(file) {
  const report = `trace-cmd report ${quote(file)}`;
  const count = `${report} | ${mawkCount(" desc: ")}`;
  return [
    shell("trace-cmd report", ["trace-cmd"], `${report} | cat >/dev/null`),
    shell("trace-cmd report, mawk count", ["trace-cmd", "mawk"], count),
  ];
}

/**
 * Contenders for a form of the kernel's recording: `text`, `none` or `zstd` (trace.dat); `out` is a
 * folder for images. `programs`: paths of `replay` and `libtracecmd`, the latter null where it
 * cannot be compiled.
 */
export function contendersFor(form, file, out, { replay, libtracecmd }) {
  if (form === "text") {
    return [
      { name: "C reference (mmap)", command: [replay, file] },
      { name: "C reference (read)", command: [replay, "--read", file] },
      ...product(file, out),
      ...floor(file, " desc: "),
    ];
  }
  const reference = [{ name: "C reference (read)", command: [replay, "--read", file] }];
  if (form === "none") reference.push({ name: "C reference (mmap)", command: [replay, file] });
  const library = {
    name: "libtracecmd reader",
    needs: [libtracecmd ?? "libtracecmd-dev"],
    command: [libtracecmd, "--quiet", file],
  };
  return [...reference, ...product(file, out), ...jobs(form, file), library, ...traceCmd(file)];
}

/** The same report on one thread and on two: the rows to compare by wall time. */
function jobs(form, file) {
  if (form !== "zstd") return [];
  return ["1", "2"].map((n) =>
    own(`vhost-replay report, --jobs ${n}`, "report", file, "--quiet", "--jobs", n),
  );
}

/**
 * Contenders for QEMU's forms, `log` or `simple`; `inputs` of make-qemu-input.mjs. QEMU's own reader
 * knows its binary form only: what it is compared with in both are the same events.
 */
export function qemuContendersFor(form, inputs, out) {
  const script = simpletraceScript();
  const reference = {
    ...shell(
      "simpletrace.py (of the simpletrace)",
      ["python3", script],
      `python3 ${quote(script)} ${quote(inputs.schema)} ${quote(inputs.simple)} >/dev/null`,
    ),
    once: true,
  };
  const last = form === "log" ? floor(inputs.log, ":virtqueue_pop ") : [];
  return [reference, ...product(inputs[form], out), ...last];
}

/** scripts/simpletrace.py of a QEMU tree: no package installs it, and none of it is copied here. */
function simpletraceScript() {
  const { SIMPLETRACE_PY } = process.env;
  if (SIMPLETRACE_PY) return SIMPLETRACE_PY;
  const found = spawnSync("sh", ["-c", "command -v simpletrace.py"], { encoding: "utf8" });
  return found.stdout.trim() || "simpletrace.py";
}

function quote(path) {
  return `'${path.replaceAll("'", "'\\''")}'`;
}
