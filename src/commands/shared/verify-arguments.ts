/** Arguments of `verify`, which asks one of two questions. */
import type { CommonArguments } from "./arguments.ts";
import type { MigrationArguments } from "./migration-options.ts";

/** With images of memory. */
export interface ImageArguments extends CommonArguments, MigrationArguments {
  sourceDump: string;
  destinationDump: string;
  policy?: string[];
  assumeLogging?: boolean;
  /** Where raw memory begins: `0x100000000`, `4G`. */
  dumpBase?: string;
  /** A mapped-ram migration file. */
  sentPages?: string;
}

/** With observed logs, or with images. */
export interface VerifyArguments extends Partial<ImageArguments> {
  recordings: string[];
  observed?: string;
  /** Bytes, decimal. */
  logSize?: string;
}
