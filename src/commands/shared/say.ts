/** How a command prints an answer: for people, or as one JSON document. */
import { jsonDocument } from "../../report/json/result-json.ts";
import { type TextStyle, textStyle } from "../../report/text/text-layout.ts";
import type { Io } from "./io.ts";
import { type MachineArguments, machineOption } from "./machine-options.ts";

/** What can be made of an answer; one of the two is. */
export interface Speech {
  text(style: TextStyle): string;
  json(): unknown;
}

/** Prints the answer on standard output. */
export async function say(io: Io, args: { json?: boolean }, speech: Speech): Promise<void> {
  await io.out(args.json ? jsonDocument(speech.json()) : speech.text(textStyle(io.color)));
}

/** What every question is asked with: the signal of an interrupt, and which machine is meant. */
export function commonOptions(io: Pick<Io, "signal">, args: MachineArguments) {
  return { ...(io.signal ? { signal: io.signal } : {}), ...machineOption(args) };
}
