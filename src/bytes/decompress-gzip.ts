/**
 * gzip files (RFC 1952): one member or several (`cat a.gz b.gz`, bgzip). The platform's
 * DecompressionStream is the fastest, but of most platforms it refuses a second member, and after an error
 * some of what it had decoded is gone: then the file is decoded again with pako, which knows where it is.
 */
import {
  CompressedInput,
  CUT_OFF,
  concatenated,
  type DecodedStream,
  pieces,
} from "./compressed-input.ts";
import type { ByteStream } from "./source.ts";

/** Compressed bytes given to pako at once, and room for what they become. */
const SLICE = 1 << 14;
const OUTPUT = 1 << 16;
/** Behind damage is looked from so far in front of where it was noticed. */
const OVERRUN = 4096;
/** deflate with a window of 32 KiB, in gzip. */
const GZIP_WINDOW = 31;

/**
 * The decompressed bytes of a gzip file; checksums are checked. `again` gives the compressed bytes from the
 * first one once more; without it they are decoded with pako from the start. Reading throws
 * RecordingError for damaged or cut off input.
 */
export async function openGzip(
  name: string,
  compressed: ByteStream,
  again?: () => ByteStream,
): Promise<DecodedStream> {
  if (!again) return openMembers(name, compressed, 0);
  const { platform, lastWord } = openPlatform(name, compressed);
  let members: DecodedStream | null = null;
  let given = 0;
  const count = (got: number, into: Uint8Array): number | Promise<number> => {
    given += got;
    // ISIZE, the last word of a member: a platform may end after the first member without a word.
    const whole = got > 0 || into.length === 0 || lastWord() === given % 2 ** 32;
    return whole ? got : failed(into);
  };
  const failed = async (into: Uint8Array): Promise<number> => {
    platform.close();
    members = await openMembers(name, again(), given);
    return members.read(into);
  };
  return {
    read(into) {
      if (members) return members.read(into);
      const got = platform.read(into);
      if (typeof got === "number") return count(got, into);
      return got.then(
        (read) => count(read, into),
        () => failed(into),
      );
    },
    close: () => (members ?? platform).close(),
    resume: async () => (members ? members.resume() : false),
  };
}

/** Any error may be one that is none: that a second member follows. `lastWord`: of what was read, little endian. */
function openPlatform(
  name: string,
  compressed: ByteStream,
): { platform: ByteStream; lastWord: () => number } {
  let tail: Uint8Array<ArrayBuffer> = new Uint8Array(4);
  const input = new CompressedInput(name, "gzip", compressed);
  const body = new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      async pull(controller) {
        const chunk = await input.next();
        if (chunk) {
          tail = concatenated(tail, chunk.subarray(-4)).slice(-4);
          controller.enqueue(chunk);
        } else controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  const reader = body.pipeThrough(new DecompressionStream("gzip")).getReader();
  const platform = pieces(
    async () => {
      const { done, value } = await reader.read();
      return done ? null : value;
    },
    () => {
      reader.cancel().catch(() => {});
      input.close();
    },
    async () => false,
  );
  return { platform, lastWord: () => new DataView(tail.buffer).getUint32(0, true) };
}

/** Members one after the other; the first `skip` bytes of what they hold are left out. */
async function openMembers(
  name: string,
  compressed: ByteStream,
  skip: number,
): Promise<DecodedStream> {
  const pako = await import("pako");
  const input = new CompressedInput(name, "gzip", compressed);
  const nothing = new Uint8Array(0);
  let left = skip;
  let begun = false;
  /** The member that is being decoded; null: between two. */
  let member: InstanceType<typeof pako.ZStream> | null = null;
  /** Bytes in front of the slice that the member has, for a look back; where it begins. */
  let before: Uint8Array = nothing;
  let start = 0;
  let failure: unknown;
  let cutOff = false;

  async function begin(): Promise<boolean> {
    // Zeros behind a member are padding, of tapes for one.
    while (begun && (await input.peek()) === 0) await input.take(1);
    if (await input.atEnd()) return false;
    begun = true;
    start = input.offset;
    before = nothing;
    member = new pako.ZStream();
    pako.zlibInflateInit2(member, GZIP_WINDOW);
    return true;
  }

  async function next(): Promise<Uint8Array | null> {
    if (failure !== undefined) throw failure;
    for (;;) {
      if (!member && !(await begin())) return null;
      const stream = member!;
      if (stream.avail_in === 0) {
        const slice = await input.next(SLICE);
        if (!slice) {
          cutOff = true;
          throw input.damaged(CUT_OFF);
        }
        const had = (stream.input ?? nothing) as Uint8Array;
        before = concatenated(before, had).slice(-OVERRUN);
        Object.assign(stream, { input: slice, next_in: 0, avail_in: slice.length });
      }
      const output = new Uint8Array(OUTPUT);
      Object.assign(stream, { output, next_out: 0, avail_out: OUTPUT });
      const status = pako.zlibInflate(stream, pako.Z_NO_FLUSH);
      if (status === pako.Z_STREAM_END) {
        input.giveBack(stream.input!.subarray(stream.next_in));
        member = null;
      } else if (status !== pako.Z_OK && status !== pako.Z_BUF_ERROR) {
        const at = input.offset - stream.avail_in;
        failure = input.damaged(stream.msg || "data that does not decode", at);
      }
      const made = output.subarray(Math.min(left, stream.next_out), stream.next_out);
      left -= stream.next_out - made.length;
      if (made.length > 0) return made;
      if (failure !== undefined) throw failure;
    }
  }

  async function resume(): Promise<boolean> {
    // All of it decoded, up to the end: nothing is behind.
    if (cutOff) return false;
    if (member?.input) {
      // Damaged data may be decoded over the end of its member, before it is noticed.
      const taken = concatenated(before, member.input as Uint8Array);
      const noticed = taken.length - member.avail_in;
      const begins = taken.length - (input.offset - start);
      input.giveBack(taken.subarray(Math.max(begins + 1, noticed - OVERRUN, 0)));
    }
    failure = undefined;
    member = null;
    // What was given before is behind us.
    left = 0;
    return input.seek(10, memberBegins);
  }

  return pieces(
    () =>
      next().catch((error) => {
        throw input.damaged(error);
      }),
    () => input.close(),
    resume,
  );
}

/** RFC 1952 2.3: deflate, no reserved flag, extra flags and system that there are. */
function memberBegins(bytes: Uint8Array, at: number): boolean {
  if (bytes[at] !== 0x1f || bytes[at + 1] !== 0x8b || bytes[at + 2] !== 8) return false;
  const [flags, extra, system] = [bytes[at + 3]!, bytes[at + 8]!, bytes[at + 9]!];
  return (
    flags < 0x20 && (extra === 0 || extra === 2 || extra === 4) && (system < 20 || system === 255)
  );
}
