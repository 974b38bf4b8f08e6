/** Standard input as a source. */
import { read } from "node:fs";
import type { Source } from "../bytes/source.ts";
import { RecordingError } from "../model/place.ts";

const STDIN = 0;
/** Milliseconds to wait when a non-blocking pipe is empty. */
const PATIENCE = 5;

function readOnce(into: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    const attempt = (): void => {
      read(STDIN, into, 0, into.length, null, (error, count) => {
        if (!error) resolve(count);
        // A pipe that another program made non-blocking has nothing yet.
        else if (error.code === "EAGAIN") setTimeout(attempt, PATIENCE);
        else if (error.code === "EOF") resolve(0);
        else
          reject(new RecordingError({ file: "<stdin>", at: "" }, "readable input", error.message));
      });
    };
    attempt();
  });
}

/** Standard input, named `<stdin>`; it can be read once. */
export function stdinSource(): Source {
  let taken = false;
  return {
    name: "<stdin>",
    size: undefined,
    stream() {
      if (taken) {
        throw new RecordingError(
          { file: "<stdin>", at: "" },
          "a file, because this is read twice",
          "standard input",
        );
      }
      taken = true;
      return { read: readOnce, close() {} };
    },
  };
}
