/**
 * Writes trace.dat files for tests: the inverse of src/recording/trace-dat, made from
 * trace-cmd.dat.v6(5) and v7(5). What a spec leaves out has a value that real files have.
 */
import { deflateSync } from "node:zlib";

export interface DatEvent {
  system: string;
  format: string;
}
export interface DatBuffer {
  name: string;
  /** Version 7 only. */
  clock?: string;
  /** Version 7 only. */
  subBufferSize?: number;
  /** `offset` and `size` replace the true ones. */
  cpus: { cpu: number; data: Uint8Array; offset?: bigint; size?: bigint }[];
}
export interface DatSpec {
  version: 6 | 7;
  bigEndian?: boolean;
  kernelLong?: 4 | 8;
  pageSize?: number;
  compression?: "none" | "zlib" | "zstd";
  headerPage?: string;
  events?: DatEvent[];
  kallsyms?: string;
  comms?: string;
  /** Raw options, besides those that the file needs. */
  options?: { id: number; data: Uint8Array }[];
  buffers?: DatBuffer[];
  /** In place of buffers. */
  latencyText?: string;
  chunkBytes?: number;
  /** Version 7: where the last options section points; 0n ends the chain. */
  nextOptions?: bigint;
}

/** Bytes in one byte order. */
export class ByteWriter {
  readonly parts: Uint8Array[] = [];
  length = 0;
  readonly bigEndian: boolean;
  constructor(bigEndian: boolean) {
    this.bigEndian = bigEndian;
  }
  bytes(part: Uint8Array): this {
    this.parts.push(part);
    this.length += part.length;
    return this;
  }
  text(text: string): this {
    return this.bytes(Buffer.from(text, "latin1"));
  }
  int(size: 1 | 2 | 4 | 8, value: number | bigint): this {
    const out = Buffer.alloc(size);
    for (let i = 0, rest = BigInt.asUintN(64, BigInt(value)); i < size; i++, rest >>= 8n) {
      out[this.bigEndian ? size - 1 - i : i] = Number(rest & 0xffn);
    }
    return this.bytes(out);
  }
  /** Zeros up to a multiple of `size`. */
  align(size: number): this {
    return this.bytes(new Uint8Array((size - (this.length % size)) % size));
  }
  done(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.parts));
  }
}

/** A `format` text; each field is [declaration, offset, size, signed]. */
export function formatText(
  name: string,
  id: number,
  fields: [string, number, number, number][],
): string {
  const common: typeof fields = [
    ["unsigned short common_type", 0, 2, 0],
    ["unsigned char common_flags", 2, 1, 0],
    ["unsigned char common_preempt_count", 3, 1, 0],
    ["int common_pid", 4, 4, 1],
  ];
  const line = ([text, offset, size, signed]: (typeof fields)[number]): string =>
    `\tfield:${text};\toffset:${offset};\tsize:${size};\tsigned:${signed};\n`;
  const lines = [...common.map(line), "\n", ...fields.map(line)].join("");
  return `name: ${name}\nID: ${id}\nformat:\n${lines}\nprint fmt: "x"\n`;
}

/** The text of events/header_page. */
export function headerPageText(subBufferSize = 4096, kernelLong: 4 | 8 = 8): string {
  const data = 8 + kernelLong;
  return [
    "\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n",
    `\tfield: local_t commit;\toffset:8;\tsize:${kernelLong};\tsigned:1;\n`,
    "\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n",
    `\tfield: char data;\toffset:${data};\tsize:${subBufferSize - data};\tsigned:1;\n`,
  ].join("");
}

const HEADER_EVENT = [
  "# compressed entry header\n\ttype_len    :    5 bits\n\ttime_delta  :   27 bits\n",
  "\tarray       :   32 bits\n\n\tpadding     : type == 29\n\ttime_extend : type == 30\n",
  "\ttime_stamp : type == 31\n\tdata max type_len  == 28\n",
].join("");

/** One zstd frame of raw blocks (RFC 8878): valid, and not smaller. */
export function zstdRaw(data: Uint8Array): Uint8Array {
  const out = new ByteWriter(false).int(4, 0xfd2fb528).int(1, 0xa0).int(4, data.length);
  for (let at = 0; at === 0 || at < data.length; at += 65536) {
    const block = data.subarray(at, at + 65536);
    const word = (block.length << 3) | (at + 65536 >= data.length ? 1 : 0);
    out
      .int(2, word & 0xffff)
      .int(1, word >> 16)
      .bytes(block);
  }
  return out.done();
}

function frame(spec: DatSpec, data: Uint8Array): Uint8Array {
  const body = spec.compression === "zlib" ? new Uint8Array(deflateSync(data)) : zstdRaw(data);
  const out = new ByteWriter(spec.bigEndian === true);
  return out.int(4, body.length).int(4, data.length).bytes(body).done();
}

/** The bodies that both versions share. */
function pieces(
  spec: DatSpec,
): Record<"info" | "ftrace" | "formats" | "symbols" | "comms", Uint8Array> {
  const writer = (): ByteWriter => new ByteWriter(spec.bigEndian === true);
  const page = spec.headerPage ?? headerPageText(spec.pageSize ?? 4096, spec.kernelLong ?? 8);
  const info = writer().text("header_page\0").int(8, page.length).text(page);
  info.text("header_event\0").int(8, HEADER_EVENT.length).text(HEADER_EVENT);
  const events = spec.events ?? [];
  const formatsOf = (out: ByteWriter, system: string): ByteWriter => {
    const own = events.filter((event) => event.system === system);
    out.int(4, own.length);
    for (const { format } of own) out.int(8, format.length).text(format);
    return out;
  };
  const systems = [...new Set(events.map(({ system }) => system))].filter((s) => s !== "ftrace");
  const formats = writer().int(4, systems.length);
  for (const system of systems) formatsOf(formats.text(`${system}\0`), system);
  const kallsyms = spec.kallsyms ?? "";
  const comms = spec.comms ?? "";
  return {
    info: info.done(),
    ftrace: formatsOf(writer(), "ftrace").done(),
    formats: formats.done(),
    symbols: writer().int(4, kallsyms.length).text(kallsyms).done(),
    comms: writer().int(8, comms.length).text(comms).done(),
  };
}

export function makeTraceDat(spec: DatSpec): Uint8Array {
  return spec.version === 6 ? makeVersion6(spec) : makeVersion7(spec);
}

function initialFormat(spec: DatSpec): ByteWriter {
  const out = new ByteWriter(spec.bigEndian === true);
  out.bytes(Uint8Array.of(0x17, 0x08, 0x44)).text(`tracing${spec.version}\0`);
  return out
    .int(1, spec.bigEndian ? 1 : 0)
    .int(1, 8)
    .int(4, spec.pageSize ?? 4096);
}

function makeVersion6(spec: DatSpec): Uint8Array {
  const out = initialFormat(spec);
  const { info, ftrace, formats, symbols, comms } = pieces(spec);
  const [top, ...instances] = spec.buffers ?? [];
  out.bytes(info).bytes(ftrace).bytes(formats).bytes(symbols).int(4, 0).bytes(comms);
  const cpuCount = Math.max(0, ...(top?.cpus ?? []).map(({ cpu }) => cpu + 1));
  out.int(4, cpuCount).text("options  \0");
  for (const { id, data } of spec.options ?? []) out.int(2, id).int(4, data.length).bytes(data);
  const page = spec.pageSize ?? 4096;
  const round = (n: number): number => Math.ceil(n / page) * page;
  const clocked = (spec.options ?? []).some(({ id }) => id === 4);
  const tableBytes = 10 + cpuCount * 16 + (clocked ? 14 : 0);
  const optionBytes = instances.reduce((sum, { name }) => sum + 6 + 8 + name.length + 1, 2);
  let at = round(out.length + optionBytes + tableBytes);
  const placed = [top, ...instances].map((buffer, index) => {
    const table = at;
    if (index > 0) at += round(tableBytes);
    const cpus = Array.from({ length: cpuCount }, (_, cpu) => {
      const own = buffer?.cpus.find((candidate) => candidate.cpu === cpu);
      const range = { offset: at, own };
      at += round(own?.data.length ?? 0);
      return range;
    });
    return { table, cpus };
  });
  instances.forEach(({ name }, index) => {
    out
      .int(2, 3)
      .int(4, 8 + name.length + 1)
      .int(8, placed[index + 1]!.table)
      .text(`${name}\0`);
  });
  out.int(2, 0);
  if (spec.latencyText !== undefined) return out.text("latency  \0").text(spec.latencyText).done();
  placed.forEach(({ cpus }, index) => {
    if (index > 0) out.align(page);
    out.text("flyrecord\0");
    for (const { offset, own } of cpus) {
      out.int(8, own?.offset ?? offset).int(8, own?.size ?? own?.data.length ?? 0);
    }
    if (clocked) out.int(8, 6).text("[mono]");
    for (const { own } of cpus) if (own && own.data.length > 0) out.align(page).bytes(own.data);
  });
  return out.done();
}

function makeVersion7(spec: DatSpec): Uint8Array {
  const big = spec.bigEndian === true;
  const compressed = (spec.compression ?? "none") !== "none";
  const out = initialFormat(spec)
    .text(`${spec.compression ?? "none"}\0`)
    .text("1.5.4\0");
  const optionsAt = out.parts.length;
  out.int(8, 0);
  const section = (id: number, body: Uint8Array, squeeze: boolean): number => {
    const at = out.length;
    const content = squeeze ? frame(spec, body) : body;
    out
      .int(2, id)
      .int(2, squeeze ? 1 : 0)
      .int(4, 0)
      .int(8, content.length)
      .bytes(content);
    return at;
  };
  const writer = (): ByteWriter => new ByteWriter(big);
  const { info, ftrace, formats, symbols, comms } = pieces(spec);
  const options = writer();
  [info, ftrace, formats, symbols, writer().int(4, 0).done(), comms].forEach((body, index) => {
    const at = section(16 + index, body, compressed);
    options
      .int(2, 16 + index)
      .int(4, 8)
      .int(8, at);
  });
  for (const { id, data } of spec.options ?? []) options.int(2, id).int(4, data.length).bytes(data);
  if (spec.latencyText !== undefined) {
    const at = section(22, Buffer.from(spec.latencyText, "latin1"), compressed);
    options.int(2, 22).int(4, 14).int(8, at).text("\0mono\0");
  }
  for (const buffer of spec.buffers ?? []) {
    const at = out.length;
    const header = writer()
      .int(2, 3)
      .int(2, compressed ? 1 : 0)
      .int(4, 0)
      .int(8, 0)
      .done();
    out.bytes(header);
    const option = writer()
      .int(8, at)
      .text(`${buffer.name}\0${buffer.clock ?? "mono"}\0`);
    option.int(4, buffer.subBufferSize ?? spec.pageSize ?? 4096).int(4, buffer.cpus.length);
    for (const { cpu, data, offset, size } of buffer.cpus) {
      const start = out.align(spec.pageSize ?? 4096).length;
      const content = compressed ? chunks(spec, data) : data;
      out.bytes(content);
      // trace-cmd 3.1.6 does not count the four bytes of the number of chunks.
      const stated = content.length - (compressed ? 4 : 0);
      option
        .int(4, cpu)
        .int(8, offset ?? start)
        .int(8, size ?? stated);
    }
    // As trace-cmd states it: with the padding in front of each CPU's data.
    const bytes = BigInt(out.length - at - header.length);
    new DataView(header.buffer).setBigUint64(8, bytes, !big);
    options.int(2, 3).int(4, option.length).bytes(option.done());
  }
  const body = options
    .int(2, 0)
    .int(4, 8)
    .int(8, spec.nextOptions ?? 0n)
    .done();
  out.parts[optionsAt] = writer()
    .int(8, section(0, body, false))
    .done();
  return out.done();
}

function chunks(spec: DatSpec, data: Uint8Array): Uint8Array {
  const bytes = spec.chunkBytes ?? 40960;
  const out = new ByteWriter(spec.bigEndian === true).int(4, Math.ceil(data.length / bytes));
  for (let at = 0; at < data.length; at += bytes)
    out.bytes(frame(spec, data.subarray(at, at + bytes)));
  return out.done();
}
