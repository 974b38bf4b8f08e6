/** tar archives: ustar headers around the contents. */

/** A header block with a right checksum; `type` as in POSIX, `0` for a regular file. */
export function tarHeader(name: string, size: number, type = "0"): Buffer {
  const block = Buffer.alloc(512);
  block.write(name.slice(-100), 0, "latin1");
  block.write("0000644\0", 100);
  block.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  block.write("00000000000\0", 136);
  block.write(`        ${type}`, 148);
  block.write("ustar\x0000", 257, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** Bytes up to the next block. */
export function tarPadded(content: Uint8Array | string): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

/** An archive of these files, with its two blocks of zeros at the end. */
export function tarOf(files: Readonly<Record<string, Uint8Array | string>>): Buffer {
  const parts = Object.entries(files).flatMap(([name, content]) => [
    tarHeader(name, Buffer.from(content).length),
    tarPadded(content),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}
