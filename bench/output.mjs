/** How the inputs get onto the disk: whole or not at all, about a megabyte at a time. */
import { closeSync, existsSync, openSync, renameSync, writeSync } from "node:fs";

const PIECE = 1 << 20;

/** Makes a file when it is missing; one that was cut off while being made does not count as made. */
export function make(path, write) {
  if (existsSync(path)) return;
  const part = `${path}.part`;
  write(part);
  renameSync(part, path);
}

/** A file to add texts (latin1) or bytes to: { add, written, close }. */
export function openOutput(path) {
  const file = openSync(path, "w");
  let pieces = [];
  let pending = 0;
  let total = 0;
  function flush() {
    if (pending > 0) {
      const bytes =
        typeof pieces[0] === "string"
          ? Buffer.from(pieces.join(""), "latin1")
          : Buffer.concat(pieces);
      writeSync(file, bytes);
    }
    pieces = [];
    pending = 0;
  }
  return {
    add(piece) {
      pieces.push(piece);
      pending += piece.length;
      total += piece.length;
      if (pending > PIECE) flush();
    },
    written: () => total,
    close() {
      flush();
      closeSync(file);
    },
  };
}
