/** `view`: the page of a recording, opened in a browser. */
import { spawn } from "node:child_process";
import { basename } from "node:path";
import { statusOf } from "../answers/lost.ts";
import { selectMachines } from "../answers/machines.ts";
import { byteSize } from "../report/text/number-text.ts";
import { type CommonArguments, windowOf } from "./shared/arguments.ts";
import type { Io } from "./shared/io.ts";
import { kernelThatRan, policiesOf } from "./shared/kernel.ts";
import { machineOption } from "./shared/machine-options.ts";
import type { MigrationArguments } from "./shared/migration-options.ts";
import { packed, pageWith, writeWhole } from "./shared/page-file.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { commonOptions } from "./shared/say.ts";
import { openSession } from "./shared/session.ts";

export interface ViewArguments extends CommonArguments, Pick<MigrationArguments, "ran"> {
  output?: string;
  /** False: only written. */
  open?: boolean;
  policy?: string[];
  assumeLogging?: boolean;
}

/** Writes the page and opens it where there is a display; returns 0, 1 or 3, as `report` does. */
export async function run(api: ReplayApi, io: Io, args: ViewArguments): Promise<number> {
  const own = { window: windowOf(args.assumeLogging, "auto"), ...commonOptions(io, args) };
  const { result, bytes } = await openSession(api, io, args).read(async (recording) => {
    const kernel = await kernelThatRan(api, args, recording);
    const policies = policiesOf(api, io, args, kernel);
    const ran = kernel ? { ran: kernel.policy } : {};
    return api.history(recording, { ...own, policies, ...ran }, "events");
  });
  const [first = "recording"] = args.recordings;
  const output = args.output ?? `${basename(first).replace(/^-$/, "recording")}.html`;
  const page = await pageWith(await packed(bytes), first);
  await writeWhole(output, page);
  const opener = args.open === false ? null : openerOf(process.platform, process.env);
  if (opener) openWith(opener, output, io);
  if (!args.quiet) {
    const how = opener ? "opening it" : "open it in a browser";
    io.err(`${output}: ${byteSize(Buffer.byteLength(page))}; ${how}\n`);
  }
  return statusOf({ result: selectMachines(result, machineOption(args)) });
}

/** The command that shows a file, where there is a display; null: there is none. */
export function openerOf(
  platform: string,
  env: Readonly<Record<string, string | undefined>>,
): string | null {
  if (platform === "darwin") return "open";
  return env.DISPLAY || env.WAYLAND_DISPLAY ? "xdg-open" : null;
}

/** Starts it and does not wait; without it the user is told the file's name anyway. */
function openWith(command: string, file: string, io: Io): void {
  const child = spawn(command, [file], { stdio: "ignore", detached: true });
  child.on("error", () => io.err(`${command} is not here: open ${file} in a browser\n`));
  child.unref();
}
