/** Which dirty log would a vhost have written? One image a sync: `log`. */
import { UsageError } from "../model/place.ts";
import type { SyncMark } from "../model/result.ts";
import type { SyncView } from "../model/told.ts";
import { type Recording, replay } from "../replay/replay.ts";
import type { ChosenPolicy } from "../vhost/chosen-policy.ts";
import { type CommonAnswer, type CommonOptions, prepare } from "./asked.ts";
import { type MachineOptions, machineNumber, oneMachine } from "./machines.ts";
import type { Replayer } from "./replayer.ts";

export interface Options extends Pick<CommonOptions, "window" | "signal" | keyof MachineOptions> {
  policy: ChosenPolicy;
  /** Bytes of each image, a multiple of 8; default: what QEMU allocates, or what is needed. */
  size?: number;
  /** Takes each image under its name (`imageName`), in the order of the syncs. */
  onImage?: (name: string, image: Uint8Array) => void | Promise<void>;
}

/** One image. */
export interface LogImage {
  file: string;
  number: number;
  /** Null for the one image of a recording without syncs. */
  mark: SyncMark | null;
  /** Bits set in the image. */
  pages: number;
  /** Logged pages that lie beyond the image's size. */
  beyond: number;
  bytes: number;
  /** Of the image, hex. */
  sha256: string;
}

export interface Answer extends CommonAnswer {
  images: LogImage[];
}

/**
 * Throws what `replay` and `onImage` throw, and UsageError for a policy without a dirty log and for
 * a recording with two syncs of one number or with several machines of which none is chosen.
 */
export async function ask(
  recording: Recording,
  options: Options,
  run: Replayer = replay,
): Promise<Answer> {
  const { policy, size, onImage } = options;
  const { asked, base } = prepare(recording, { ...options, policies: [policy] }, "recorded");
  const wanted = (await machineNumber(recording, options, base, run)) ?? 1;
  const images: LogImage[] = [];
  const numbers = new Set<number>();
  const result = await run(recording, {
    ...base,
    async onSync(view) {
      if (view.machine !== wanted) return;
      // What follows the last sync was never fetched, so it is no image; a recording without is one.
      if (view.mark === null && images.length > 0) return;
      const number = view.mark?.number ?? 0;
      if (numbers.has(number)) {
        throw new UsageError(`two syncs of this recording have the number ${number}`);
      }
      numbers.add(number);
      const { image, ...facts } = await imageOf(view, number, size);
      images.push(facts);
      await onImage?.(facts.file, image);
    },
  });
  return { asked, result: oneMachine(result, options).result, images };
}

/** 0, or 3 when the recording carries no verdict: then the images are of no vhost. */
export function statusOf({ result }: Pick<Answer, "result">): 0 | 3 {
  return result.machines.every(({ verdict }) => verdict) ? 0 : 3;
}

/** `007.bin`: three digits or more. */
export function imageName(number: number): string {
  return `${`${number}`.padStart(3, "0")}.bin`;
}

async function imageOf(
  view: SyncView,
  number: number,
  size: number | undefined,
): Promise<LogImage & { image: Uint8Array }> {
  const needed = Math.ceil((view.highestPage(0) + 1) / 64) * 8;
  const { image, beyond } = view.image(0, size ?? (view.qemuLogBytes || needed));
  return {
    ...{ file: imageName(number), number, mark: view.mark, pages: bitsSet(image), beyond },
    ...{ bytes: image.length, sha256: await sha256Of(image), image },
  };
}

function bitsSet(image: Uint8Array): number {
  let bits = 0;
  // Four bytes at a time, of which an image is a multiple: mostly nothing is in it.
  const words = new Int32Array(image.buffer, image.byteOffset, image.length / 4);
  for (let at = 0; at < words.length; at++) {
    for (let rest = words[at]!; rest !== 0; rest &= rest - 1) bits += 1;
  }
  return bits;
}

async function sha256Of(bytes: Uint8Array): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return [...new Uint8Array(hash)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
