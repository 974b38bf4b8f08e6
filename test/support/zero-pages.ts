/** A trace.dat of which ring-buffer pages are zeros, as after a crash of the host. */
import { portableCodecs } from "../../src/bytes/codecs.ts";
import { rangeStream } from "../../src/bytes/range.ts";
import { openTraceDat } from "../../src/formats/trace-dat/open.ts";
import { zstdRaw } from "./make-trace-dat.ts";
import { memorySource } from "./memory-source.ts";

export interface ZeroedPage {
  cpu: number;
  page: number;
  /** The file with zeros in the place of that page. */
  file(): Uint8Array;
}

async function bytesOf(stream: {
  read(into: Uint8Array): number | Promise<number>;
}): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for (;;) {
    const part = new Uint8Array(1 << 16);
    const n = await stream.read(part);
    if (n === 0) return Buffer.concat(parts);
    parts.push(part.subarray(0, n));
  }
}

/**
 * Each page of each CPU of a compressed file of version 7 with one buffer. A CPU's data are put behind the
 * file's end, as one frame, and the option of its buffer points there.
 */
export async function zeroedPages(file: Uint8Array): Promise<ZeroedPage[]> {
  const random = memorySource("trace.dat", file).random!();
  const dat = await openTraceDat(
    { name: "trace.dat", stream: rangeStream(random, 0, random.size), random },
    portableCodecs,
  );
  const pages: ZeroedPage[] = [];
  for (const { subBufferSize, cpus } of dat.buffers) {
    for (const { cpu, offset, open } of cpus) {
      const data = await bytesOf(open());
      const at = optionOf(file, cpu, offset);
      for (let page = 0; page * subBufferSize < data.length; page++) {
        const zeroed = (): Uint8Array => {
          const own = Buffer.from(data);
          own.fill(0, page * subBufferSize, (page + 1) * subBufferSize);
          const frame = zstdRaw(own);
          const head = Buffer.alloc(12);
          head.writeUInt32LE(1, 0);
          head.writeUInt32LE(frame.length, 4);
          head.writeUInt32LE(own.length, 8);
          const whole = Buffer.concat([file, head, frame]);
          whole.writeBigUInt64LE(BigInt(file.length), at);
          whole.writeBigUInt64LE(BigInt(8 + frame.length), at + 8);
          return whole;
        };
        pages.push({ cpu, page, file: zeroed });
      }
    }
  }
  return pages;
}

/** Where {u32 cpu, u64 offset} stand in an option that is not compressed. Throws where they do not. */
function optionOf(file: Uint8Array, cpu: number, offset: number): number {
  const wanted = Buffer.alloc(12);
  wanted.writeUInt32LE(cpu, 0);
  wanted.writeBigUInt64LE(BigInt(offset), 4);
  const at = Buffer.from(file.buffer, file.byteOffset, file.length).indexOf(wanted);
  if (at < 0) throw new Error(`no option names the data of CPU ${cpu}`);
  return at + 4;
}
