/** What is looked at: a stretch of time and of lanes, and how large it is on the screen. */

export interface View {
  /** Nanoseconds from the history's origin. */
  from: number;
  to: number;
  /** Lanes, the last one not included; not whole while it is dragged. */
  first: number;
  last: number;
}

/** Place of a time in a picture `width` wide. */
export function xOf(view: Pick<View, "from" | "to">, width: number, ns: number): number {
  return ((ns - view.from) / (view.to - view.from)) * width;
}

const STEPS = [1, 2, 5];
/** Room for a label of the time axis, CSS pixels. */
const TIME_LABEL = 90;

/** Times for ticks, in nanoseconds from the origin, at steps of seconds that people count in. */
export function timeTicks(
  view: Pick<View, "from" | "to">,
  width: number,
  originNs: bigint,
): { ns: number; label: string }[] {
  const span = view.to - view.from;
  const least = (span * TIME_LABEL) / Math.max(width, 1);
  let step = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  step *= STEPS.find((factor) => step * factor >= least) ?? 10;
  const decimals = Math.max(0, 9 - Math.floor(Math.log10(step) + 1e-9));
  const origin = Number(originNs % 1_000_000_000n);
  const whole = originNs / 1_000_000_000n;
  const ticks: { ns: number; label: string }[] = [];
  // The origin's part below a second counts, so that ticks are round on the recording's own clock.
  for (let at = Math.ceil((view.from + origin) / step) * step; at - origin <= view.to; at += step) {
    ticks.push({ ns: at - origin, label: `${secondsText(whole, at, decimals)} s` });
    if (ticks.length > 100) break;
  }
  return ticks;
}

function secondsText(whole: bigint, ns: number, decimals: number): string {
  const total = whole * 1_000_000_000n + BigInt(Math.round(ns));
  const sign = total < 0n ? "-" : "";
  const digits = `${total < 0n ? -total : total}`.padStart(10, "0");
  const fraction = digits.slice(-9).slice(0, Math.min(decimals, 9));
  return `${sign}${digits.slice(0, -9)}${fraction === "" ? "" : `.${fraction}`}`;
}
