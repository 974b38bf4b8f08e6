/**
 * Text of QEMU's `log` trace backend (`-trace … -D FILE -msg timestamp=on`). The core scans the
 * lines (assembly/decode/qemu-log.ts); here is what it hands back: names it meets for the first time, and
 * arguments that no known format explains.
 */
import {
  LineVerdict,
  LOST_UNREAD,
  MAX_LINE,
  Problem,
  StreamKind,
} from "../../assembly/decode-abi.ts";
import type { ByteStream } from "../bytes/source.ts";
import { OutOfMemory } from "../core/core.ts";
import { atLine, quoteFound, RecordingError } from "../model/place.ts";
import { dialectOf } from "./dialects.ts";
import type { Feed, FeedContext, FeedSummary } from "./feed.ts";
import type { Format } from "./format.ts";
import { QEMU_DIALECTS, type QemuDialect } from "./qemu-dialects.ts";
import { QemuFeed } from "./qemu-feed.ts";
import { QemuPlan } from "./qemu-plan.ts";
import { longLine } from "./unread.ts";

const BUFFER_BYTES = 1 << 20;
const RECORDS = 3072;
const NAME = /^[a-z0-9_]+/;
/** CPU of a loss that names none. */
const NO_CPU = 0xffff;

export const qemuLog: Format = {
  name: "qemu-log",
  describe: (dialect) => `a QEMU log with trace events (${dialect})`,
  sniff: (head) => dialectOf(QEMU_DIALECTS, head.lines),
  open({ context, unwrapped, variant }) {
    const dialect = QEMU_DIALECTS.find(({ name }) => name === variant);
    if (!dialect) throw new Error(`bug: no dialect ${variant}`);
    return openQemuLog(context, unwrapped.lines(), dialect);
  },
};

/** Opens a log whose lines are of this dialect. */
export function openQemuLog(context: FeedContext, bytes: ByteStream, dialect: QemuDialect): Feed {
  const { core, space } = context;
  const plan = new QemuPlan(core, false);
  const stream = core.exports.addStream(StreamKind.QemuLog, plan.plan, 0, BUFFER_BYTES, RECORDS);
  if (stream < 0) throw new OutOfMemory();
  core.exports.setQemu(stream, dialect.shape, space, 0, 0n);
  return new QemuLog(context, bytes, plan, stream, dialect);
}

class QemuLog extends QemuFeed implements Feed {
  readonly #dialect: QemuDialect;
  readonly #notes: string[] = [];
  #cut = false;

  constructor(
    context: FeedContext,
    bytes: ByteStream,
    plan: QemuPlan,
    stream: number,
    dialect: QemuDialect,
  ) {
    super(context, bytes, plan, stream);
    this.#dialect = dialect;
  }

  line(stream: number, newName: boolean): void {
    const { exports } = this.core;
    const length = exports.lineLength(stream);
    const line = this.core.text(exports.linePtr(stream), Math.min(length, MAX_LINE)).trimEnd();
    const number = exports.lineNumber(stream);
    if (newName) {
      this.plan.add(NAME.exec(line.slice(exports.problemAt(stream)))?.[0] ?? "", 0, []);
      exports.lineVerdict(stream, LineVerdict.Again);
      return;
    }
    const problem: Problem = exports.problem(stream);
    const at = exports.problemAt(stream);
    exports.lineVerdict(stream, LineVerdict.Skip);
    if (problem === Problem.Cut) {
      this.#notes.push(`The log ends in the middle of line ${number}; it is not replayed.`);
      this.#cut = true;
      return;
    }
    if (problem === Problem.Long) {
      this.unread.add(longLine(this.file, number, line));
      exports.appendGap(stream, NO_CPU, BigInt(LOST_UNREAD));
      return;
    }
    // The arguments do not fit, or a line that is no event line holds an event: two writers in one.
    const found = quoteFound(line.slice(at), 120);
    const name = NAME.exec(line.slice(at))?.[0] ?? "";
    const where = { file: this.file, at: atLine(number, at + 1) };
    const expected = `${name} ${this.plan.example(name)}`;
    this.unread.add(new RecordingError(where, expected, found));
    exports.appendGap(stream, NO_CPU, BigInt(LOST_UNREAD));
  }

  damaged(): never {
    throw new Error("bug: text has no records");
  }

  place(_stream: number, place: number) {
    return { file: this.file, at: atLine(place) };
  }

  summary(): FeedSummary {
    const { exports } = this.core;
    const foreign = exports.foreignLines(this.firstStream);
    const notes = [...this.#notes, ...this.unread.notes()];
    if (foreign > 0) {
      notes.push(
        `${foreign} line${foreign === 1 ? " is" : "s are"} no trace event and not replayed, the ` +
          `first one is line ${exports.firstForeign(this.firstStream)}.`,
      );
    }
    const { name, clock, note } = this.#dialect;
    if (note) notes.push(note);
    return this.summaryOf({
      format: `QEMU log (${name})`,
      clock,
      foreignLines: foreign,
      notes,
      cut: this.#cut,
    });
  }
}
