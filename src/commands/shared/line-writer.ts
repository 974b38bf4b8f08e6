/** Many short lines to standard output in few writes. */
import type { Io } from "./io.ts";

const ENOUGH = 1 << 16;

/** Collects lines; `write` gives a promise only when there is something to wait for. */
export interface LineWriter {
  write(line: string): void | Promise<void>;
  end(): Promise<void>;
}

/** A writer to `io.out` that keeps at most 64 KiB and one line. */
export function lineWriter(io: Io): LineWriter {
  let kept = "";
  const flush = () => {
    const text = kept;
    kept = "";
    return io.out(text);
  };
  return {
    write(line) {
      kept += line;
      if (kept.length >= ENOUGH) return flush();
    },
    async end() {
      if (kept !== "") await flush();
    },
  };
}
