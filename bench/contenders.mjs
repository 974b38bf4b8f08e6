/**
 * Who runs on which form of the input. `needs` is the program or file without which a contender
 * is skipped by name; `shell` marks a pipeline. The first one of a form is what the others' ratio
 * refers to.
 */
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
export const CLI = join(ROOT, "dist/cli/cli.js");
const COUNT = `mawk '/ desc: /{n++} END{print n+0}'`;

/** Different masks, so that none is computed for another. */
const EIGHT = [
  ...["linux-6.16", "linux-6.1", "linux-7.2", "series-v1"],
  ...["series:1-7", "spdk-split", "libvhost-user", "vhost-vsock"],
];

function product(file, out) {
  // Status 1 is the answer "pages lost".
  const own = (name, ...args) => ({
    name,
    needs: CLI,
    statuses: [0, 1],
    command: [process.execPath, CLI, ...args],
  });
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

function traceCmd(file) {
  return [
    shell("trace-cmd report", "trace-cmd", `trace-cmd report ${quote(file)} | cat >/dev/null`),
    shell("trace-cmd report, mawk count", "mawk", `trace-cmd report ${quote(file)} | ${COUNT}`),
  ];
}

/**
 * Contenders for a form: `text`, `none` or `zstd` (trace.dat); `out` is a folder for images.
 * `programs`: paths of `replay` and `libtracecmd`, the latter null where it cannot be compiled.
 */
export function contendersFor(form, file, out, { replay, libtracecmd }) {
  if (form === "text") {
    return [
      { name: "C reference (mmap)", command: [replay, file] },
      { name: "C reference (read)", command: [replay, "--read", file] },
      ...product(file, out),
      { name: "mawk count", needs: "mawk", command: ["sh", "-c", `${COUNT} ${quote(file)}`] },
      { name: "grep -c", needs: "grep", command: ["grep", "-c", " desc: ", file] },
      { name: "wc -l", needs: "wc", command: ["wc", "-l", file] },
    ];
  }
  const reference = [{ name: "C reference (read)", command: [replay, "--read", file] }];
  if (form === "none") reference.push({ name: "C reference (mmap)", command: [replay, file] });
  const library = {
    name: "libtracecmd reader",
    needs: libtracecmd ?? "libtracecmd-dev",
    command: [libtracecmd, "--quiet", file],
  };
  return [...reference, ...product(file, out), library, ...traceCmd(file)];
}

/** Contenders of the issue that no command on this system provides; named in the results. */
export const NEVER_RUN = ["QEMU log and simpletrace: no such input is built yet"];

function quote(path) {
  return `'${path.replaceAll("'", "'\\''")}'`;
}
