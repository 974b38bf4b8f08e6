/** `redact`: recordings that can be shared, each proven to give the verdict of its original. */
import { createCipheriv, createHmac, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { UsageError } from "../model/place.ts";
import type { Prf } from "../redact/prf.ts";
import { redactJson } from "../report/json/redact-json.ts";
import { redactText } from "../report/text/redact-text.ts";
import { redactRecordings } from "./redact-recordings.ts";
import { type CommonArguments, syncMarkerOf } from "./shared/arguments.ts";
import { EXIT, type Io } from "./shared/io.ts";
import { openRedactedFiles } from "./shared/redacted-files.ts";
import type { ReplayApi } from "./shared/replay-api.ts";
import { say } from "./shared/say.ts";
import { openSession } from "./shared/session.ts";

export interface RedactArguments extends CommonArguments {
  output: string;
  keyFile?: string;
  keepRuns?: boolean;
  keepTimes?: boolean;
}

const KEY_BYTES = 32;
const LEAST_KEY = 16;
const MOST_KEY = 1 << 20;

/** Writes the redacted recordings; 0, or 1 when a replay of them says something else. */
export async function run(api: ReplayApi, io: Io, args: RedactArguments): Promise<number> {
  if (args.recordings.includes("-")) {
    throw new UsageError("-: redact reads a recording several times; write it to a file first");
  }
  const prf = keyedFunction(await keyOf(args.keyFile));
  const session = openSession(api, io, args);
  const syncMarker = syncMarkerOf(args.syncMarker);
  const files = await openRedactedFiles(args.output, args.recordings);
  try {
    const choices = {
      prf,
      keepRuns: args.keepRuns ?? false,
      keepTimes: args.keepTimes ?? false,
      key: args.keyFile === undefined ? ("random" as const) : ("file" as const),
      ...(syncMarker ? { syncMarker } : {}),
    };
    const outcome = await session.read((recording) =>
      redactRecordings(api, io.signal, recording, files.files, choices),
    );
    if (outcome.difference !== null) {
      await files.discard();
      io.err(
        `vhost-replay: nothing written: the redacted recording replays differently: ${outcome.difference}\n`,
      );
      return EXIT.lost;
    }
    await files.commit();
    await say(io, args, {
      text: () => redactText(outcome.summary),
      json: () => redactJson(api.tool, outcome.summary),
    });
    return EXIT.ok;
  } catch (error) {
    await files.discard();
    throw error;
  }
}

/** The key: of a file, or random and forgotten. Throws UsageError for one that is too short. */
async function keyOf(file: string | undefined): Promise<Uint8Array> {
  if (file === undefined) return randomBytes(KEY_BYTES);
  const key = await readFile(file);
  if (key.length >= LEAST_KEY && key.length <= MOST_KEY) return key;
  throw new UsageError(
    `${file}: expected a key of ${LEAST_KEY} bytes to 1 MiB, found ${key.length} bytes; ` +
      "head -c 32 /dev/urandom makes one",
  );
}

/** HMAC-SHA-256 (RFC 2104); streams are AES-256-CTR under a key that it makes of the label. */
export function keyedFunction(key: Uint8Array): Prf {
  const hmac = (text: string): Buffer => createHmac("sha256", key).update(text).digest();
  const value = (label: string, text: string): bigint =>
    hmac(`value\0${label}\0${text}`).readBigUInt64BE(0);
  const stream = (label: string, words: number): Uint32Array => {
    const cipher = createCipheriv("aes-256-ctr", hmac(`stream\0${label}`), Buffer.alloc(16));
    const bytes = cipher.update(Buffer.alloc(words * 4));
    return Uint32Array.from({ length: words }, (_, i) => bytes.readUInt32LE(i * 4));
  };
  return Object.assign(value, { stream });
}
