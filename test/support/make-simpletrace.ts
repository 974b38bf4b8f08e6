/** Events of QEMU as its `simple` backend writes them: version 4 of trace/simple.c. */
import { DECLARATIONS, type TraceLine } from "./make-qemu-log.ts";

const DROPPED = 0xfffffffffffffffen;

export interface SimpleOptions {
  bigEndian?: boolean;
  version?: number;
  pid?: number;
  /** Event numbers begin here: another build, another order. */
  firstId?: number;
  /** Names are mapped just before they are used, and not at the start. */
  lateMapping?: boolean;
  /** Names in front of those that are used, as QEMU maps all of its events. */
  moreNames?: readonly string[];
}

/** A file, or what a file is made of. */
export class SimpleWriter {
  readonly #parts: Buffer[] = [];
  readonly #big: boolean;
  readonly #pid: number;
  readonly #ids = new Map<string, number>();
  #nextId: number;

  constructor(options: SimpleOptions = {}) {
    this.#big = options.bigEndian ?? false;
    this.#pid = options.pid ?? 4242;
    this.#nextId = options.firstId ?? 0;
    this.#u64(0xffffffffffffffffn);
    this.#u64(0xf2b177cb0aa429b4n);
    this.#u64(BigInt(options.version ?? 4));
    for (const name of options.moreNames ?? []) this.map(name);
  }

  #u64(value: bigint): void {
    const part = Buffer.alloc(8);
    if (this.#big) part.writeBigUInt64BE(BigInt.asUintN(64, value));
    else part.writeBigUInt64LE(BigInt.asUintN(64, value));
    this.#parts.push(part);
  }

  #u32(value: number): void {
    const part = Buffer.alloc(4);
    if (this.#big) part.writeUInt32BE(value);
    else part.writeUInt32LE(value);
    this.#parts.push(part);
  }

  /** A mapping record; returns the number. */
  map(name: string): number {
    const known = this.#ids.get(name);
    if (known !== undefined) return known;
    const id = this.#nextId++;
    this.#ids.set(name, id);
    this.#u64(0n);
    this.#u64(BigInt(id));
    this.#u32(name.length);
    this.#parts.push(Buffer.from(name, "latin1"));
    return id;
  }

  /** An event whose arguments are these bytes. */
  raw(id: bigint, ns: bigint, args: Buffer): this {
    this.#u64(1n);
    this.#u64(id);
    this.#u64(ns);
    this.#u32(24 + args.length);
    this.#u32(this.#pid);
    this.#parts.push(args);
    return this;
  }

  /** Arguments: integers and pointers 8 bytes, strings with their length in front. */
  static args(values: readonly (number | bigint | string)[], bigEndian: boolean): Buffer {
    return Buffer.concat(
      values.map((value) => {
        if (typeof value === "string") {
          const part = Buffer.alloc(4 + value.length);
          if (bigEndian) part.writeUInt32BE(value.length);
          else part.writeUInt32LE(value.length);
          part.write(value, 4, "latin1");
          return part;
        }
        const part = Buffer.alloc(8);
        const bits = BigInt.asUintN(64, BigInt(value));
        if (bigEndian) part.writeBigUInt64BE(bits);
        else part.writeBigUInt64LE(bits);
        return part;
      }),
    );
  }

  event({ ns, name, args }: TraceLine): this {
    const id = this.map(name);
    return this.raw(BigInt(id), ns, SimpleWriter.args(args, this.#big));
  }

  dropped(ns: bigint, count: bigint): this {
    return this.raw(DROPPED, ns, SimpleWriter.args([count], this.#big));
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** A whole file. */
export function simpletrace(lines: readonly TraceLine[], options: SimpleOptions = {}): Buffer {
  const writer = new SimpleWriter(options);
  if (!options.lateMapping) for (const { name } of lines) writer.map(name);
  for (const line of lines) writer.event(line);
  return writer.bytes();
}

/** Names with a declaration, in another order than these tests use them. */
export const SOME_NAMES: readonly string[] = Object.keys(DECLARATIONS).reverse();
