/**
 * A client for QEMU's machine protocol (docs/interop/qmp-spec.rst) that knows only commands which
 * change nothing in the guest. Others are dangerous: `x-query-virtio-queue-element`,
 * `x-query-virtio-queue-status` and `x-query-virtio-status` were seen to hang a guest's disk or to
 * end QEMU (docs/privacy.md names what is sent).
 */
import { createConnection, type Socket } from "node:net";
import { UsageError } from "../../model/place.ts";
import { errorCode } from "./host.ts";

/** The commands that are ever sent. */
export type QmpCommand =
  | "qmp_capabilities"
  | "query-version"
  | "query-migrate"
  | "trace-event-get-state"
  | "trace-event-set-state"
  | "human-monitor-command";

/** The lines that are ever given to the human monitor. */
export type MonitorLine = "info mtree -f" | "info ramblock" | "info pci";

const TIMEOUT = 10_000;
/** `info mtree -f` of a large guest has some 100 KB. */
const MAX_REPLY = 64 << 20;

interface Reply {
  id?: number;
  QMP?: unknown;
  event?: string;
  return?: unknown;
  error?: { class?: string; desc?: string };
}

/** One connection. Close it: QEMU serves a socket's clients one after the other. */
export class Qmp {
  readonly #path: string;
  readonly #timeout: number;
  readonly #socket: Socket;
  #pending = "";
  #waiting: { fits: (reply: Reply) => boolean; done: (reply: Reply | Error) => void } | null = null;
  #failure: Error | null = null;
  #id = 0;

  private constructor(path: string, socket: Socket, timeout: number) {
    this.#path = path;
    this.#timeout = timeout;
    this.#socket = socket;
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => this.#receive(text));
    socket.on("error", (error) => this.#fail(this.#trouble(errorCode(error) || error.message)));
    socket.on("close", () => this.#fail(this.#trouble("QEMU closed it")));
  }

  /** Connects and negotiates. Every answer may take `timeout` ms. Throws UsageError. */
  static async connect(path: string, timeout = TIMEOUT): Promise<Qmp> {
    const qmp = new Qmp(path, createConnection(path), timeout);
    try {
      await qmp.#wait(
        (reply) => "QMP" in reply,
        "no greeting: another client holds the socket, or it is no QMP socket",
      );
      await qmp.execute("qmp_capabilities");
      return qmp;
    } catch (error) {
      qmp.close();
      throw error;
    }
  }

  #trouble(what: string): UsageError {
    const known: Record<string, string> = {
      ENOENT: "no such socket",
      ECONNREFUSED: "nobody listens there",
      EACCES: "no permission",
      ENOTSOCK: "no socket",
    };
    return new UsageError(`--qemu-socket ${this.#path}: ${known[what] ?? what}`);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#waiting?.done(this.#failure);
  }

  #receive(text: string): void {
    this.#pending += text;
    if (this.#pending.length > MAX_REPLY) {
      this.#fail(this.#trouble(`a reply of more than ${MAX_REPLY} bytes`));
      this.#socket.destroy();
      return;
    }
    const lines = this.#pending.split("\n");
    this.#pending = lines.pop() ?? "";
    for (const line of lines) {
      if (line.trim() === "") continue;
      try {
        const reply: Reply = JSON.parse(line);
        if (this.#waiting?.fits(reply)) this.#waiting.done(reply);
      } catch {
        this.#fail(this.#trouble("an answer that is no JSON; is it the human monitor's socket?"));
      }
    }
  }

  async #wait(fits: (reply: Reply) => boolean, late: string): Promise<Reply> {
    if (this.#failure) throw this.#failure;
    const reply = await new Promise<Reply | Error>((resolve) => {
      const timer = setTimeout(() => resolve(this.#trouble(late)), this.#timeout);
      this.#waiting = {
        fits,
        done: (value) => {
          clearTimeout(timer);
          this.#waiting = null;
          resolve(value);
        },
      };
    });
    if (reply instanceof Error) throw reply;
    return reply;
  }

  /** Sends a command; returns what QEMU returned. Throws UsageError with QEMU's own words. */
  async execute(command: QmpCommand, args?: Record<string, unknown>): Promise<unknown> {
    const id = ++this.#id;
    const answer = this.#wait((reply) => reply.id === id, `no answer to ${command}`);
    this.#socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    const reply = await answer;
    if (reply.error) {
      throw this.#trouble(`${command}: ${reply.error.desc ?? reply.error.class ?? "refused"}`);
    }
    return reply.return;
  }

  /** What the human monitor prints for a line. */
  async monitor(line: MonitorLine): Promise<string> {
    const text = await this.execute("human-monitor-command", { "command-line": line });
    return typeof text === "string" ? text : "";
  }

  close(): void {
    this.#socket.destroy();
  }
}
