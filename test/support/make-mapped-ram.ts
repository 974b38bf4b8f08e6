/** Writes migration files with mapped-ram, by the layout of migration/ram.c. */

export interface MappedRamBlock {
  name: string;
  /** One entry a page of 4 KiB; null is a page that is not in the file. */
  pages: (Uint8Array | null)[];
  /** With x-ignore-shared: no bitmap, no pages. */
  ignored?: boolean;
}

export interface MappedRamOptions {
  capabilities?: string[];
  /** Bytes between the configuration and the RAM section. */
  before?: Uint8Array;
  /** Of the mapped-ram headers. */
  headerVersion?: number;
}

const PAGE = 4096;
/** QEMU aligns to 1 MiB; less keeps the test's files small and is as good for a reader. */
const ALIGN = 8192;

/** The whole file, an EOS mark behind the last block. */
export function makeMappedRam(
  blocks: MappedRamBlock[],
  options: MappedRamOptions = {},
): Uint8Array {
  const { capabilities = ["mapped-ram"], headerVersion = 1 } = options;
  const shared = capabilities.includes("x-ignore-shared");
  const total = blocks.reduce((sum, block) => sum + block.pages.length * PAGE, 0);
  const writer = new Writer();
  writer.text("QEVM");
  writer.u32(3);
  writer.u8(7);
  writer.u32(4);
  writer.text("test");
  writer.u8(5);
  writer.named("configuration/capabilities");
  writer.u32(1);
  writer.u32(capabilities.length);
  for (const name of capabilities) writer.named(name);
  writer.bytes(options.before ?? new Uint8Array(0));
  writer.u8(1);
  writer.u32(2);
  writer.named("ram");
  writer.u32(0);
  writer.u32(4);
  writer.u64(total + 4);
  for (const block of blocks) {
    writer.named(block.name);
    writer.u64(block.pages.length * PAGE);
    if (shared) writer.u64(0);
    writer.u32(headerVersion);
    writer.u64(PAGE);
    if (block.ignored) {
      writer.u64(0);
      writer.u64(0);
      continue;
    }
    const bitmap = new Uint8Array(Math.ceil(block.pages.length / 64) * 8);
    block.pages.forEach((page, index) => {
      if (page) bitmap[index >> 3]! |= 1 << (index & 7);
    });
    const bitmapAt = writer.size + 16;
    const pagesAt = Math.ceil((bitmapAt + bitmap.length) / ALIGN) * ALIGN;
    writer.u64(bitmapAt);
    writer.u64(pagesAt);
    writer.bytes(bitmap);
    writer.bytes(new Uint8Array(pagesAt - writer.size));
    for (const page of block.pages) writer.bytes(page ?? new Uint8Array(PAGE));
  }
  writer.u64(0x10);
  return writer.whole();
}

class Writer {
  readonly #parts: Uint8Array[] = [];
  size = 0;

  bytes(part: Uint8Array): void {
    this.#parts.push(part);
    this.size += part.length;
  }

  u8(value: number): void {
    this.bytes(Uint8Array.of(value));
  }

  u32(value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value);
    this.bytes(bytes);
  }

  u64(value: number): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(value));
    this.bytes(bytes);
  }

  text(text: string): void {
    this.bytes(new TextEncoder().encode(text));
  }

  named(text: string): void {
    this.u8(text.length);
    this.text(text);
  }

  whole(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}
