/** What is replayed: recordings, and what is known beside them. */
import type { Source, Surroundings } from "../bytes/source.ts";
import type { CoreModule } from "../core/core.ts";
import type { BlockRange } from "../memory/block-range.ts";
import type { MigrationSettings } from "../qemu/migration-settings.ts";
import type { ClockPair, GivenOffset } from "./clock-pair.ts";
import type { FirstLook } from "./first-look.ts";

/** What to replay: inputs, and the core to do it with. */
export interface Recording {
  sources: readonly Source[];
  surroundings: Surroundings;
  module: CoreModule;
  /** Pattern of a marker that ends a round; groups `n` and `name`. */
  syncMarker?: RegExp;
  /** trace-events-all of the QEMU that wrote a simpletrace. */
  traceEvents?: Source;
  /** By an input's name: what is added to its times, and how well that is known (ns). */
  clockOffsets?: ReadonlyMap<string, GivenOffset>;
  /** Realtime and monotonic clock read together on the host that was recorded. */
  clockPairs?: readonly ClockPair[];
  /** RAM blocks in guest-physical memory, from `info mtree -f`. */
  memoryMap?: readonly BlockRange[];
  /** What QEMU was told about its migrations, from a transcript of QMP. */
  migrationSettings?: MigrationSettings;
  /** First looks at inputs that were taken already, by name: they are not read twice for it. */
  looks?: ReadonlyMap<string, FirstLook>;
  /** Called about once a MiB: bytes read so far, events replayed. */
  onProgress?: (bytes: number, events: number) => void;
  /** SHA-256 of an input's bytes, where the caller wants it in the result. */
  sha256?: (source: Source) => Promise<string | null>;
}
