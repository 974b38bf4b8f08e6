/** The progress line on standard error: bytes, events per second, time left. */
import { byteSize } from "../../report/text/number-text.ts";
import type { Io } from "./io.ts";

/** Milliseconds before the first line and between two. */
const INTERVAL = 200;

/** A progress line that can be taken off the terminal again. */
export interface Progress {
  update(bytes: number, total: number | undefined, events: number): void;
  clear(): void;
}

/**
 * Shows progress on a terminal; does nothing elsewhere, or when asked to be quiet. Short work shows
 * nothing. `now` gives milliseconds.
 */
export function progressLine(io: Io, quiet: boolean, now = () => performance.now()): Progress {
  if (quiet || !io.isTTY) return { update() {}, clear() {} };
  const start = now();
  let last = start;
  let shown = false;
  return {
    update(bytes, total, events) {
      const time = now();
      if (time - last < INTERVAL) return;
      last = time;
      shown = true;
      const line = progressText(bytes, total, events, (time - start) / 1000);
      io.err(`\r${line.slice(0, Math.max(io.columns - 1, 1))}\x1b[K`);
    },
    clear() {
      if (shown) io.err("\r\x1b[K");
      shown = false;
    },
  };
}

/** The same for work that counts in steps: one line of text at a time. */
export function stepLine(io: Io, quiet: boolean, now = () => performance.now()) {
  let last = now();
  let shown = false;
  const shows = !quiet && io.isTTY;
  return {
    update(line: string): void {
      if (!shows || now() - last < INTERVAL) return;
      last = now();
      shown = true;
      io.err(`\r${line.slice(0, Math.max(io.columns - 1, 1))}\x1b[K`);
    },
    clear(): void {
      if (shown) io.err("\r\x1b[K");
      shown = false;
    },
  };
}

/** `23.4 MiB of 1.0 GiB, 2%, 1200000 events/s, 0:41 left`; `elapsed` is seconds. */
export function progressText(
  bytes: number,
  total: number | undefined,
  events: number,
  elapsed: number,
): string {
  const rate = elapsed > 0 ? `, ${Math.round(events / elapsed)} events/s` : "";
  if (total === undefined || total <= 0) return `${byteSize(bytes)}${rate}`;
  const share = Math.min(bytes / total, 1);
  const percent = `${Math.floor(share * 100)}%`;
  const left = share > 0 ? `, ${minutes((elapsed * (1 - share)) / share)} left` : "";
  return `${byteSize(bytes)} of ${byteSize(total)}, ${percent}${rate}${left}`;
}

function minutes(secs: number): string {
  const whole = Math.round(secs);
  return `${Math.floor(whole / 60)}:${`${whole % 60}`.padStart(2, "0")}`;
}
