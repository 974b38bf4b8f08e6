/**
 * A host whose tracefs is a temporary folder that behaves like the kernel's: a definition appended
 * to kprobe_events makes the event's folder, a folder made below instances comes with its files.
 */
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type Host, thisHost } from "../../src/node/record/host.ts";

/** The error of a system call. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: refused by the test`), { code, syscall: "write" });
}

export interface FakeHost extends Host {
  readonly tracing: string;
  /** Text that trace_pipe gives. */
  pipe: string;
  /** Definitions that the kernel refuses. */
  refuses: RegExp | null;
  /** Files whose writing fails, and how. */
  failing: Map<RegExp, string>;
  /** Something else holds the probes, or the instance. */
  busy: boolean;
  free: number;
  uid: number;
  close(): void;
}

const STATS =
  "entries: 0\noverrun: 0\ncommit overrun: 0\nbytes: 0\noldest event ts:     1.0\nnow ts:     2.0\ndropped events: 0\nread events: 3\n";

/** `mounted: false` leaves an empty folder where tracefs belongs. */
export function fakeHost(options: { mounted?: boolean; kprobes?: boolean } = {}): FakeHost {
  const root = mkdtempSync(join(tmpdir(), "vhost-replay-host-"));
  const tracing = join(root, "sys/kernel/tracing");
  mkdirSync(tracing, { recursive: true });
  mkdirSync(join(root, "run"));
  const mount = (): void => {
    mkdirSync(join(tracing, "instances"));
    mkdirSync(join(tracing, "events"));
    for (const file of ["trace_clock", "error_log", "kprobe_profile"]) {
      writeFileSync(join(tracing, file), "");
    }
    writeFileSync(join(tracing, "uprobe_events"), "");
    if (options.kprobes !== false) writeFileSync(join(tracing, "kprobe_events"), "");
  };
  if (options.mounted !== false) mount();
  const real = thisHost();

  const eventFolders = (group: string): string[] => [
    join(tracing, "events", group),
    ...(existsSync(join(tracing, "instances/vhost-replay"))
      ? [join(tracing, "instances/vhost-replay/events", group)]
      : []),
  ];
  const addEvent = (folder: string, name: string): void => {
    mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, "enable"), "0");
    writeFileSync(join(folder, name, "filter"), "none\n");
  };
  const define = (line: string, file: string): void => {
    const removal = /^-:(\w+)\/(\w+)$/.exec(line);
    if (removal) {
      if (host.busy) throw systemError("EBUSY");
      const [, group = "", name = ""] = removal;
      const all = readFileSync(file, "utf8")
        .split("\n")
        .filter((each) => each !== "");
      const rest = all.filter((each) => !each.includes(`:${group}/${name} `));
      if (rest.length === all.length) throw systemError("ENOENT");
      writeFileSync(file, rest.map((each) => `${each}\n`).join(""));
      for (const folder of eventFolders(group)) {
        rmSync(join(folder, name), { recursive: true, force: true });
        if (rest.length === 0) rmSync(folder, { recursive: true, force: true });
      }
      return;
    }
    const [, group = "", name = ""] = /^[pr]\d*:(\w+)\/(\w+) /.exec(line) ?? [];
    if (group === "" || host.refuses?.test(line)) {
      writeFileSync(
        join(tracing, "error_log"),
        "[   1.0] trace_kprobe: error: Invalid probed address or symbol\n  Command: x\n",
      );
      throw systemError("EINVAL");
    }
    appendFileSync(file, `${line}\n`);
    for (const folder of eventFolders(group)) addEvent(folder, name);
    appendFileSync(join(tracing, "kprobe_profile"), `  ${name}      3      0\n`);
  };
  const refuseFailing = (path: string): void => {
    for (const [pattern, code] of host.failing) if (pattern.test(path)) throw systemError(code);
  };

  const host: FakeHost = {
    ...real,
    root,
    tracing,
    pipe: "",
    refuses: null,
    failing: new Map(),
    busy: false,
    free: 1 << 30,
    uid: 0,
    release: "6.1.0-50-amd64",
    version: "#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)",
    arch: "x64",
    freeBytes: () => host.free,
    mountTracefs(path) {
      refuseFailing(path);
      mount();
    },
    write(path, text) {
      refuseFailing(path);
      real.write(path, text);
    },
    append(path, text) {
      refuseFailing(path);
      if (/^[ku]probe_events$/.test(basename(path))) define(text.trimEnd(), path);
      else appendFileSync(path, text);
    },
    mkdir(path) {
      refuseFailing(path);
      mkdirSync(path);
      for (const file of ["trace_clock", "buffer_size_kb", "tracing_on", "trace_marker"]) {
        writeFileSync(join(path, file), "");
      }
      writeFileSync(join(path, "trace_pipe"), host.pipe);
      mkdirSync(join(path, "per_cpu/cpu0"), { recursive: true });
      writeFileSync(join(path, "per_cpu/cpu0/stats"), STATS);
      mkdirSync(join(path, "events"));
    },
    rmdir(path) {
      if (host.busy) throw systemError("EBUSY");
      rmSync(path, { recursive: true });
    },
    pause: (milliseconds) => real.pause(Math.min(milliseconds, 1)),
    close: () => rmSync(root, { recursive: true, force: true }),
  };
  return host;
}
