/** Dirty logs that were observed: raw images, one a sync. */

/** Observed images by sync number; bit n of byte n/8 is page n, least significant bit first. */
export interface ObservedImages {
  /** As the user named them: a folder. */
  readonly name: string;
  readonly numbers: readonly number[];
  /** The name of a sync's image; undefined where there is none. */
  file(number: number): string | undefined;
  /** Reads one image; trailing zero words may be missing. */
  read(number: number): Promise<Uint8Array>;
}
