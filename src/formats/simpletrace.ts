/**
 * simpletrace, QEMU's binary trace (`-trace …,file=FILE` with the `simple` backend), version 4. The
 * core reads the records (assembly/decode/simpletrace.ts); here events get their arguments, from the
 * trace-events-all of that QEMU or from the list of src/qemu/events.ts.
 */
import { LineVerdict, MAX_LINE, RecordDamage, StreamKind } from "../../assembly/decode-abi.ts";
import type { Head } from "../bytes/head.ts";
import { simpletraceHeader } from "../bytes/signatures.ts";
import type { ByteStream } from "../bytes/source.ts";
import { OutOfMemory } from "../core/core.ts";
import { atByte, type Place, RecordingError } from "../model/place.ts";
import { qemuEvent } from "../qemu/events.ts";
import { schemaFormat } from "../qemu/trace-events.ts";
import type { Feed, FeedContext, FeedSummary } from "./feed.ts";
import type { Format } from "./format.ts";
import { QemuFeed } from "./qemu-feed.ts";
import { QemuPlan, textsOf } from "./qemu-plan.ts";
import { type Schema, schemaFor } from "./schema-for.ts";

const BUFFER_BYTES = 1 << 20;
const RECORDS = 3072;
/** The version that QEMU has written since 2.8; older ones have other records. */
const VERSION = "4";
/** Bytes of a record in front of its arguments: type, number, time, length, process. */
const RECORD_BYTES = 32;
const MAX_ID = 0xffff;

/** What was expected in the place of a damage; of arguments, the schema tells. */
const EXPECTED: Readonly<Record<Exclude<RecordDamage, RecordDamage.Arguments>, string>> = {
  [RecordDamage.None]: "a whole record",
  [RecordDamage.Type]: "a record of type 0 (mapping) or 1 (event)",
  [RecordDamage.Name]: "a mapping with a name of 1 to 1024 bytes and a number below 65536",
  [RecordDamage.Length]: "a record of 24 to 65536 bytes",
};

export const simpletrace: Format = {
  name: "simpletrace",
  describe: (version) => `a simpletrace file of QEMU (version ${version})`,
  sniff(head) {
    const header = simpletraceHeader(head);
    return header && { variant: header.version };
  },
  async open({ context, source, unwrapped, head, surroundings, traceEvents }) {
    const { version, bigEndian } = simpletraceHeader(head)!;
    const schema = await schemaFor(source, surroundings, traceEvents);
    return openSimpletrace(context, unwrapped.stream(), version, bigEndian, schema);
  },
};

/**
 * The same records without a header and without names, as SystemTap writes them for a QEMU with the
 * dtrace backend (tracetool, format simpletrace-stap): numbers count the lines of that QEMU's list.
 */
export const simpletraceRecords: Format = {
  name: "simpletrace-records",
  describe: () => "simpletrace records of SystemTap, without a header",
  sniff: (head) => (recordsOrder(head) === null ? null : { variant: "" }),
  async open({ context, source, unwrapped, head, surroundings, traceEvents }) {
    const schema = await schemaFor(source, surroundings, traceEvents);
    if (!schema) {
      throw new RecordingError(
        { file: context.file, at: "" },
        "with simpletrace records that have no header the trace-events-all of that QEMU (--trace-events)",
        "neither that nor one beside the file",
      );
    }
    return openRecords(context, unwrapped.stream(), recordsOrder(head) === "big", schema);
  },
};

/** Most records of which a chain is looked at. */
const CHAIN = 4;

/** Byte order of a file that begins with records of type 1, one behind the other; null: it does not. */
function recordsOrder({ bytes }: Head): "little" | "big" | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (const little of [true, false]) {
    let at = 0;
    let records = 0;
    while (records < CHAIN && at + RECORD_BYTES <= bytes.length) {
      const [type, id] = [view.getBigUint64(at, little), view.getBigUint64(at + 8, little)];
      const length = view.getUint32(at + 24, little);
      if (type !== 1n || id > 0xffffn || length < RECORD_BYTES - 8 || length > MAX_LINE) break;
      records++;
      at += length + 8;
    }
    // All that could be, and one is too few but where it is the whole file.
    const whole = at + RECORD_BYTES > bytes.length && (records > 1 || at === bytes.length);
    if (records === CHAIN || (records > 0 && whole)) return little ? "little" : "big";
  }
  return null;
}

/** How a file's records are told of. */
interface Form {
  readonly label: string;
  readonly clock: string;
  readonly note: string | null;
}

const WITH_HEADER: Form = { label: `simpletrace v${VERSION}`, clock: "mono", note: null };
const RECORDS_ONLY: Form = {
  label: "simpletrace records (SystemTap)",
  clock: "realtime",
  note: "The records have numbers of processes, not of threads: elements are told apart by their order alone.",
};

function openRecords(
  context: FeedContext,
  bytes: ByteStream,
  bigEndian: boolean,
  schema: Schema,
): Feed {
  const plan = new QemuPlan(context.core, true);
  let id = 0;
  for (const [name, args] of schema.events) {
    if (id > MAX_ID) break;
    plan.add(name, id++, qemuEvent(name) ? [schemaFormat(args)] : []);
  }
  const feed = openStream(context, bytes, bigEndian, schema, plan, RECORDS_ONLY);
  context.core.exports.beginRecords(feed.firstStream);
  for (const [number, name] of [...schema.events.keys()].entries()) feed.name(number, name);
  return feed;
}

/** Opens a simpletrace. Throws RecordingError for another version than 4. */
export function openSimpletrace(
  context: FeedContext,
  bytes: ByteStream,
  version: string,
  bigEndian: boolean,
  schema: Schema | null,
): Feed {
  if (version !== VERSION) {
    const where = { file: context.file, at: atByte(16) };
    throw new RecordingError(where, "simpletrace version 4", version);
  }
  const plan = new QemuPlan(context.core, true);
  return openStream(context, bytes, bigEndian, schema, plan, WITH_HEADER);
}

function openStream(
  context: FeedContext,
  bytes: ByteStream,
  bigEndian: boolean,
  schema: Schema | null,
  plan: QemuPlan,
  form: Form,
): Simpletrace {
  const { core, space } = context;
  const stream = core.exports.addStream(
    StreamKind.Simpletrace,
    plan.plan,
    0,
    BUFFER_BYTES,
    RECORDS,
  );
  if (stream < 0) throw new OutOfMemory();
  // Only the byte order of this layout is used.
  core.exports.setPageLayout(plan.plan, bigEndian ? 1 : 0, 0, 0, 0, 0, 0, 0);
  core.exports.setQemu(stream, 0, space, 0, 0n);
  return new Simpletrace(context, bytes, plan, stream, bigEndian, schema, form);
}

class Simpletrace extends QemuFeed implements Feed {
  readonly #bigEndian: boolean;
  readonly #schema: Schema | null;
  readonly #form: Form;
  readonly #names = new Map<number, string>();

  constructor(
    context: FeedContext,
    bytes: ByteStream,
    plan: QemuPlan,
    stream: number,
    bigEndian: boolean,
    schema: Schema | null,
    form: Form,
  ) {
    super(context, bytes, plan, stream);
    this.#bigEndian = bigEndian;
    this.#schema = schema;
    this.#form = form;
  }

  /** The name of an event's number, for errors. */
  name(id: number, name: string): void {
    this.#names.set(id, name);
  }

  /** A mapping: u64 type, u64 number, u32 length, the name. */
  line(stream: number): void {
    const { exports } = this.core;
    const at = exports.linePtr(stream);
    const id = this.core.view.getUint32(at + (this.#bigEndian ? 12 : 8), !this.#bigEndian);
    const name = this.core.text(at + 20, exports.lineLength(stream) - 20);
    if (this.#names.get(id) !== name) {
      this.#names.set(id, name);
      this.plan.add(name, id, this.#formats(name));
    }
    exports.lineVerdict(stream, LineVerdict.Skip);
  }

  #formats(name: string): readonly string[] {
    const known = qemuEvent(name);
    if (!known) return [];
    if (!this.#schema) return textsOf(known);
    const args = this.#schema.events.get(name);
    return args ? [schemaFormat(args)] : textsOf(known);
  }

  damaged(stream: number): void {
    this.unread.add(this.#damage(stream));
    this.core.exports.passDamage(stream);
  }

  #damage(stream: number): RecordingError {
    const { exports } = this.core;
    const problem: RecordDamage = exports.problem(stream);
    const where = this.place(stream, exports.ringBase(stream) + exports.problemAt(stream));
    if (problem !== RecordDamage.Arguments) {
      return new RecordingError(where, EXPECTED[problem], "another value");
    }
    const name = this.#names.get(exports.lineLength(stream)) ?? "an event";
    return new RecordingError(
      where,
      `arguments of ${name} as ${this.#schema?.file ?? "QEMU 7.2 to 11.1"} lists them`,
      this.#schema
        ? "others; is that file of the QEMU that made this recording?"
        : "others; give the trace-events-all of that QEMU with --trace-events",
    );
  }

  place(_stream: number, place: number): Place {
    return { file: this.file, at: atByte(place) };
  }

  summary(): FeedSummary {
    const { exports } = this.core;
    const notes = this.unread.notes();
    if (!this.#schema) {
      notes.push(
        "Arguments are read as QEMU 7.2 to 11.1 have them: no --trace-events was given, and no " +
          "trace-events-all lies beside the file.",
      );
    }
    if (this.#form.note) notes.push(this.#form.note);
    const unknown = exports.unknownIds(this.plan.plan);
    if (unknown > 0) notes.push(`${unknown} records have an event number without a name.`);
    const torn = exports.tornBytes(this.firstStream);
    if (torn > 0) notes.push(`The last ${torn} bytes are no whole record and not replayed.`);
    return this.summaryOf({
      format: this.#form.label,
      clock: this.#form.clock,
      foreignLines: 0,
      notes,
      cut: torn > 0,
    });
  }
}
