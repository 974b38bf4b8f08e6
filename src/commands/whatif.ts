/** `whatif`: what a migration of this guest would have cost under each policy. */
import { ask, statusOf } from "../answers/whatif.ts";
import { UsageError } from "../model/place.ts";
import { whatifJson } from "../report/json/whatif-json.ts";
import { whatifText } from "../report/text/whatif-text.ts";
import { type CommonArguments, nanoseconds, wholeNumber } from "./shared/arguments.ts";
import type { Io } from "./shared/io.ts";
import { kernelThatRan, policiesOf } from "./shared/kernel.ts";
import type { MigrationArguments } from "./shared/migration-options.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { say } from "./shared/say.ts";
import { openSession } from "./shared/session.ts";

export interface WhatifArguments extends CommonArguments, Pick<MigrationArguments, "ran"> {
  policy?: string[];
  /** Bytes a second; K, M, G as QEMU's monitor has them. */
  bandwidth?: string;
  /** Milliseconds. */
  downtimeLimit?: string;
  /** Seconds on the recording's clock, and how many. */
  start?: string;
  for?: string;
}

const MOST_DOWNTIME_MS = 2_000_000;

/** Prints the costs; returns 0, or 3 where nothing could be followed. */
export async function run(api: ReplayApi, io: Io, args: WhatifArguments): Promise<number> {
  const { start, downtimeLimit } = args;
  const own = {
    ...(args.bandwidth === undefined ? {} : { bandwidth: bytesOf(args.bandwidth) }),
    ...(downtimeLimit === undefined
      ? {}
      : { downtimeMs: wholeNumber(downtimeLimit, "--downtime-limit", MOST_DOWNTIME_MS) }),
    ...(start === undefined ? {} : { startNs: nanoseconds(start, "--start") }),
    ...(args.for === undefined ? {} : { forNs: Number(nanoseconds(args.for, "--for")) }),
    ...(io.signal ? { signal: io.signal } : {}),
  };
  const answer = await openSession(api, io, args).ask(async (recording) => {
    const kernel = await kernelThatRan(api, args, recording);
    const policies = policiesOf(api, io, args, kernel);
    return ask(recording, { ...own, policies, ...(kernel ? { ran: kernel.policy } : {}) });
  });
  await say(io, args, {
    text: (style) => whatifText(answer, style),
    json: () => whatifJson(api.tool, answer),
  });
  return statusOf(answer);
}

const UNITS: Readonly<Record<string, number>> = { "": 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };

function bytesOf(text: string): number {
  const match = /^(\d{1,15})([KMG])?$/.exec(text);
  const bytes = match ? Number(match[1]) * UNITS[match[2] ?? ""]! : 0;
  if (bytes > 0) return bytes;
  throw new UsageError(
    `--bandwidth: expected bytes a second such as 20000000 or 128M, found ${JSON.stringify(text.slice(0, 60))}`,
  );
}
