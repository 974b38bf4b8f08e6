/** Files that take their names when all of them are whole and checked, or never. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { lstat, realpath, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { Transform, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { UsageError } from "../../model/place.ts";

const ENOUGH = 1 << 16;

/** One output on its way. */
export interface RedactedFile {
  /** Where it will be. */
  readonly name: string;
  /** Where it is until then. */
  readonly temporary: string;
  write(line: string): void | Promise<void>;
  /** Closes it; bytes on disk and their SHA-256. */
  end(): Promise<{ bytes: number; sha256: string }>;
}

/** The outputs of one run. */
export interface RedactedFiles {
  readonly files: readonly RedactedFile[];
  /** Gives all of them their names. */
  commit(): Promise<void>;
  /** Removes what has not got its name. */
  discard(): Promise<void>;
}

/** `a.ndjson.gz` for one recording; `a.1.ndjson.gz` and so on for several. */
export function outputNames(output: string, count: number): string[] {
  if (count === 1) return [output];
  const name = basename(output);
  const ending = /(?:\.ndjson|\.json)?(?:\.gz)?$/.exec(name)![0];
  const stem = name.slice(0, name.length - ending.length);
  return Array.from({ length: count }, (_, i) =>
    join(dirname(output), `${stem}.${i + 1}${ending}`),
  );
}

/**
 * Opens the outputs. Throws UsageError for a name that is no regular file's, or an input's, and the
 * system's error where nothing can be written.
 */
export async function openRedactedFiles(
  output: string,
  inputs: readonly string[],
): Promise<RedactedFiles> {
  const names = outputNames(output, inputs.length);
  const taken = new Set<string>();
  for (const input of inputs) taken.add(await realpath(input));
  for (const name of names) await refuse(name, taken);
  const files: (RedactedFile & { abandon(): Promise<void> })[] = [];
  const discard = async () => {
    for (const file of files) await file.abandon();
  };
  try {
    for (const name of names) files.push(await openFile(name));
  } catch (error) {
    await discard();
    throw error;
  }
  return {
    files,
    async commit() {
      // Those of an earlier run go first: a cut here leaves too few files, and never some of each.
      if (files.length > 1) for (const { name } of files) await rm(name, { force: true });
      for (const { temporary, name } of files) await rename(temporary, name);
    },
    discard,
  };
}

async function refuse(name: string, inputs: ReadonlySet<string>): Promise<void> {
  const folder = dirname(name);
  if (!(await stat(folder)).isDirectory()) throw new UsageError(`${folder}: not a folder`);
  const found = await lstat(name).catch(() => null);
  if (found === null) return;
  if (!found.isFile()) throw new UsageError(`${name}: not a regular file`);
  if (inputs.has(await realpath(name))) {
    throw new UsageError(`${name}: is the recording itself; name another output`);
  }
}

async function openFile(name: string): Promise<RedactedFile & { abandon(): Promise<void> }> {
  const temporary = join(dirname(name), `.${basename(name)}.part`);
  await rm(temporary, { force: true });
  // Nobody else may read it before it is checked.
  const sink = createWriteStream(temporary, { flags: "wx", mode: 0o600 });
  await once(sink, "open");
  const hash = createHash("sha256");
  let bytes = 0;
  const tally = new Transform({
    transform(chunk: Buffer, _, done) {
      hash.update(chunk);
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  const first: Writable = name.endsWith(".gz") ? createGzip() : tally;
  const written =
    first === tally
      ? pipeline(tally, sink)
      : pipeline(first as ReturnType<typeof createGzip>, tally, sink);
  // Seen by whoever waits next; an error that nobody waits for yet must not end the process.
  written.catch(() => {});
  let kept = "";
  const flush = async () => {
    const text = kept;
    kept = "";
    if (!first.write(text)) await Promise.race([once(first, "drain"), written]);
  };
  return {
    name,
    temporary,
    write(line): void | Promise<void> {
      kept += line;
      if (kept.length >= ENOUGH) return flush();
    },
    async end() {
      await flush();
      first.end();
      await written;
      return { bytes, sha256: hash.digest("hex") };
    },
    async abandon() {
      first.destroy();
      sink.destroy();
      await rm(temporary, { force: true });
    },
  };
}
