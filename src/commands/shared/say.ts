/** How a command prints an answer: for people, or as one JSON document. */
import { jsonDocument } from "../../report/json/result-json.ts";
import { type TextStyle, textStyle } from "../../report/text/text-layout.ts";
import type { Io } from "./io.ts";

/** What can be made of an answer; one of the two is. */
export interface Speech {
  text(style: TextStyle): string;
  json(): unknown;
}

/** Prints the answer on standard output. */
export async function say(io: Io, args: { json?: boolean }, speech: Speech): Promise<void> {
  await io.out(args.json ? jsonDocument(speech.json()) : speech.text(textStyle(io.color)));
}

/** The signal of an interrupt, as an option of a question. */
export function stoppedBy(io: Pick<Io, "signal">): { signal?: AbortSignal } {
  return io.signal ? { signal: io.signal } : {};
}
