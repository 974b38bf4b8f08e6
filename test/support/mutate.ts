/** Structure-aware mutations of recordings, from a seed: what befalls lines, records, pages and files. */

/** Numbers from a seed; the same seed gives the same numbers (mulberry32). */
export class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }
  /** An integer of [0, below). */
  below(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % Math.max(1, below);
  }
  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

const CHARS = [..." \t\r\n\0-[]().:=,{}\"'\\@<>#+xZT0179afAZ_\x80\xff"];
const NUMBERS = [
  "0",
  "-1",
  "65536",
  "4294967296",
  "18446744073709551616",
  "0xffffffffffffffff",
  "x",
  "",
];

type LineEdit = (lines: string[], at: number, random: Random) => void;

const LINE_EDITS: readonly LineEdit[] = [
  (lines, at, random) => {
    const line = lines[at]!;
    const i = random.below(line.length + 1);
    lines[at] = line.slice(0, i) + random.of(CHARS) + line.slice(i + random.below(2));
  },
  (lines, at, random) => {
    // Two writers in one line.
    const other = random.of(lines);
    lines[at] =
      lines[at]!.slice(0, random.below(lines[at]!.length)) +
      other.slice(random.below(other.length));
  },
  (lines, at) => void lines.splice(at, 1),
  (lines, at) => void lines.splice(at, 0, lines[at]!),
  (lines, at, random) => {
    const other = random.below(lines.length);
    [lines[at], lines[other]] = [lines[other]!, lines[at]!];
  },
  (lines, at, random) => {
    const numbers = [...lines[at]!.matchAll(/(?:0x)?[0-9a-f]+/g)];
    const hit = numbers[random.below(numbers.length)];
    if (!hit) return;
    const end = hit.index + hit[0].length;
    lines[at] = lines[at]!.slice(0, hit.index) + random.of(NUMBERS) + lines[at]!.slice(end);
  },
  (lines, at, random) => {
    const words = lines[at]!.split(" ");
    words.splice(
      random.below(words.length),
      1 + random.below(2),
      random.of(lines).split(" ").at(-1)!,
    );
    lines[at] = words.join(" ");
  },
  (lines, at, random) => {
    lines[at] =
      random.of(["> ", "12:", "[  1.000000] ", "host.dat: ", '{"log":"', "\t"]) + lines[at]!;
  },
  (lines, at, random) => {
    const extra = [
      "CPU:1 [LOST 5 EVENTS]",
      "",
      "x".repeat(70_000),
      "# tracer: nop",
      "[001] ".repeat(3000),
    ];
    lines.splice(at, 0, random.of(extra));
  },
];

/** A text with one to eight of its lines changed. */
export function mutatedText(text: string, random: Random): Buffer {
  const lines = text.split("\n");
  for (let n = 1 + random.below(8); n > 0 && lines.length > 1; n--) {
    random.of(LINE_EDITS)(lines, random.below(lines.length), random);
  }
  const whole = Buffer.from(lines.join("\n"), "latin1");
  return random.below(6) === 0 ? whole.subarray(0, random.below(whole.length)) : whole;
}

const WORDS = [0, 1, 2, 7, 29, 0xff, 0x7fffffff, 0xffffffff, 0x80000000, 0xc0000000];

/** Bytes with one to four of their words or ranges changed; `starts` are where structures begin. */
export function mutatedBytes(bytes: Uint8Array, starts: readonly number[], random: Random): Buffer {
  let out = Buffer.from(bytes);
  for (let n = 1 + random.below(4); n > 0 && out.length > 16; n--) {
    const start =
      starts.length > 0 && random.below(3) > 0
        ? random.of(starts) + 4 * random.below(8)
        : random.below(out.length);
    const at = Math.min(start, out.length - 8);
    const length = 1 + random.below(random.of([4, 64, 4096]));
    switch (random.below(6)) {
      case 0:
        out[at] = random.below(256);
        break;
      case 1:
        out.writeUInt32LE(random.of(WORDS), at);
        break;
      case 2:
        out.fill(random.of([0, 0xff, 0x55]), at, Math.min(out.length, at + length));
        break;
      case 3:
        out = Buffer.concat([out.subarray(0, at), out.subarray(Math.min(out.length, at + length))]);
        break;
      case 4:
        out = Buffer.concat([out.subarray(0, at), out.subarray(at, at + length), out.subarray(at)]);
        break;
      default:
        out = out.subarray(0, at + 8);
    }
  }
  return out;
}
