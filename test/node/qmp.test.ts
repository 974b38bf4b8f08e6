import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  describeQemu,
  eventsToSwitch,
  RECORDED_EVENTS,
  switchEvents,
} from "../../src/node/record/qemu-events.ts";
import { Qmp } from "../../src/node/record/qmp.ts";
import { QEMU_EVENTS } from "../../src/qemu/events.ts";

const GREETING = {
  QMP: { version: { qemu: { major: 7, minor: 2, micro: 22 } }, capabilities: [] },
};
/** What docs/privacy.md says is sent. */
const SAFE = [
  "qmp_capabilities",
  "query-version",
  "query-migrate",
  "trace-event-get-state",
  "trace-event-set-state",
  "human-monitor-command",
];

interface Request {
  execute: string;
  arguments?: Record<string, unknown>;
  id: number;
}

let scratch = "";
let server: Server | undefined;
let path = "";
let seen: Request[] = [];
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), "vhost-replay-"));
});
afterAll(() => rmSync(scratch, { recursive: true }));
afterEach(
  () => new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve())),
);

let count = 0;
/** A QMP server; `answer` gives what follows `id`, or does something else with the socket. */
async function serve(
  answer: (request: Request, socket: Socket) => object | null,
  greeting: string = `${JSON.stringify(GREETING)}\r\n`,
): Promise<void> {
  seen = [];
  path = join(scratch, `qmp-${count++}`);
  server = createServer((socket) => {
    socket.on("error", () => {});
    socket.write(greeting);
    let pending = "";
    socket.on("data", (data) => {
      pending += data.toString();
      const lines = pending.split("\n");
      pending = lines.pop() ?? "";
      for (const line of lines) {
        const request: Request = JSON.parse(line);
        seen.push(request);
        const reply = answer(request, socket);
        if (reply) socket.write(`${JSON.stringify({ ...reply, id: request.id })}\r\n`);
      }
    });
  });
  await new Promise<void>((resolve) => server?.listen(path, resolve));
}

/** QEMU with some events on, and one that it does not know. */
function qemu(request: Request): object {
  const name = request.arguments?.name;
  switch (request.execute) {
    case "trace-event-get-state":
      if (name === "vhost_dev_start_in") return { error: { desc: `unknown event "${name}"` } };
      return { return: [{ name, state: name === "virtqueue_pop" ? "enabled" : "disabled" }] };
    case "human-monitor-command":
      return { return: `output of ${request.arguments?.["command-line"]}\r\n` };
    default:
      return { return: {} };
  }
}

describe("QMP", () => {
  test("switches on what the replay reads, but for the one event that costs too much", () => {
    const read = QEMU_EVENTS.map(({ name }) => name);
    expect(RECORDED_EVENTS).toEqual(read.filter((name) => name !== "memory_region_ops_write"));
  });

  test("switches on only what was off and exists, and the same off again", async () => {
    await serve(qemu);
    const qmp = await Qmp.connect(path);
    const off = await eventsToSwitch(qmp);
    expect(off).toEqual(
      RECORDED_EVENTS.filter((name) => name !== "virtqueue_pop" && name !== "vhost_dev_start_in"),
    );
    await switchEvents(qmp, off, true);
    await switchEvents(qmp, off, false);
    qmp.close();
    const set = seen.filter(({ execute }) => execute === "trace-event-set-state");
    expect(set.filter((each) => each.arguments?.enable === true)).toHaveLength(off.length);
    expect(set.filter((each) => each.arguments?.enable === false)).toHaveLength(off.length);
  });

  test("saves what makes the events readable, and sends nothing that is not known to be safe", async () => {
    await serve(qemu);
    const qmp = await Qmp.connect(path);
    const files = await describeQemu(qmp);
    await switchEvents(qmp, await eventsToSwitch(qmp), true);
    qmp.close();
    expect([...files.keys()]).toEqual([
      "qemu-version.json",
      "qemu-migrate.json",
      "qemu-mtree.txt",
      "qemu-ramblock.txt",
      "qemu-pci.txt",
    ]);
    expect(files.get("qemu-mtree.txt")).toBe("output of info mtree -f\r\n");
    for (const { execute } of seen) expect(SAFE).toContain(execute);
    const lines = seen.flatMap((each) => each.arguments?.["command-line"] ?? []);
    expect(lines).toEqual(["info mtree -f", "info ramblock", "info pci"]);
  });

  test("takes an answer in pieces, between events and blank lines", async () => {
    await serve((request, socket) => {
      if (request.execute === "qmp_capabilities") return { return: {} };
      const reply = `{"event":"STOP","timestamp":{}}\r\n\r\n{"return":{"é":1},"id":${request.id}}\r\n`;
      const bytes = Buffer.from(reply);
      const cut = bytes.indexOf(0xc3) + 1;
      socket.write(bytes.subarray(0, cut));
      setTimeout(() => socket.write(bytes.subarray(cut)), 5);
      return null;
    });
    const qmp = await Qmp.connect(path);
    expect(await qmp.execute("query-version")).toEqual({ é: 1 });
    qmp.close();
  });
});

describe("trouble with the socket is one line:", () => {
  const trouble = async (message: string, timeout = 200): Promise<void> => {
    const use = async (): Promise<void> => {
      const qmp = await Qmp.connect(path, timeout);
      try {
        await qmp.execute("query-version");
      } finally {
        qmp.close();
      }
    };
    await expect(use()).rejects.toThrow(`--qemu-socket ${path}: ${message}`);
  };

  test("none there", async () => {
    path = join(scratch, "nowhere");
    await trouble("no such socket");
  });

  test("a file", async () => {
    path = join(scratch, "file");
    writeFileSync(path, "");
    await trouble("nobody listens there");
  });

  test("no greeting", async () => {
    await serve(() => null, "");
    await trouble("no greeting: another client holds the socket");
  });

  test("the human monitor", async () => {
    await serve(() => null, "QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ");
    await trouble("an answer that is no JSON; is it the human monitor's socket?");
  });

  test("an error of QEMU", async () => {
    await serve((request) =>
      request.execute === "query-version" ? { error: { desc: "not now" } } : { return: {} },
    );
    await trouble("query-version: not now");
  });

  test("no answer", async () => {
    await serve((request) => (request.execute === "query-version" ? null : { return: {} }));
    await trouble("no answer to query-version");
  });

  test("an end in the middle", async () => {
    await serve((request, socket) => {
      if (request.execute !== "query-version") return { return: {} };
      socket.end('{"retu');
      return null;
    });
    await trouble("QEMU closed it", 5000);
  });
});
