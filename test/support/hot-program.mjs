/**
 * A program that ends, or waits, while V8's background threads compile what folds string constants,
 * with a heap over its limit: `hot-program.mjs end|wait|throw|never`, or `core|zstd|xz` for what the
 * library waits for, which prints `ready`. With `--no-incremental-marking
 * --concurrent-recompilation-delay=200` it hung in 7 of 8 runs of Node.js 20 and in half of those of 22
 * without what these tests are of.
 */
import { readSync } from "node:fs";
// Loaded beforehand: reading a module holds the event loop.
import "xz-decompress";
import { ZSTDDecoder } from "zstddec";
import { openXz } from "../../dist/src/bytes/decompress-xz.js";
import { startZstddec } from "../../dist/src/bytes/start-zstddec.js";
import { compileCore } from "../../dist/src/index.js";
import { runProgram } from "../../dist/src/node/run-program.js";

const FUNCTIONS = 60;
const ROUNDS = 3000;
/** Of a MiB each, after the last collection. */
const ARRAYS = 31;
const MIB = 1 << 20;
const EMPTY_WASM = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
const STDIN = 0;

const kept = [];

function heat() {
  const functions = Array.from(
    { length: FUNCTIONS },
    (_, i) =>
      new Function(
        "x",
        `let text = "";
         for (let k = 0; k < 40; k++) {
           text = "constant ${i} " + "another ${i} " + "third" + (k & 1 ? "left ${i}" : "right ${i}");
           if (x < 0) text = "never ${i}" + "at all ${i}";
         }
         return text.length + x;`,
      ),
  );
  for (let round = 0; round < ROUNDS; round++) for (const one of functions) one(round);
  for (let i = 0; i < ARRAYS; i++) kept.push(new Uint8Array(MIB));
}

/** What of the library waits for Wasm, and cannot count on the program to hold the event loop. */
const LIBRARY = {
  core: () => compileCore(EMPTY_WASM),
  zstd: () => startZstddec(new ZSTDDecoder()),
  xz: () => openXz("stdin.xz", { read: (into) => readSync(STDIN, into), close() {} }),
};

const [, , how] = process.argv;
process.on("beforeExit", () => process.stderr.write("the event loop ran empty\n"));
if (how in LIBRARY) {
  heat();
  await LIBRARY[how]();
  process.stdout.write("ready\n");
} else {
  await runProgram(process, async () => {
    if (how === "never") return new Promise(() => {});
    heat();
    if (how === "wait") await WebAssembly.compile(EMPTY_WASM);
    if (how === "throw") throw new Error("thrown");
    // More than a pipe holds.
    process.stdout.write("x".repeat(MIB));
    return 3;
  });
}
