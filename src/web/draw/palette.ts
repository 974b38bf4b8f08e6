/** Colours, light and dark. They differ in lightness as well as in hue, so that no one needs all hues. */
import { Lane } from "../../history/page-states.ts";

export type Rgb = readonly [red: number, green: number, blue: number];

export interface Palette {
  /** By `Lane`; that of `None` is the ground. */
  readonly lanes: Readonly<Record<Lane, Rgb>>;
  /** Writes outside the logging window. */
  readonly outside: Rgb;
  readonly activity: Rgb;
  readonly overLogged: Rgb;
  readonly strip: string;
  readonly ink: string;
  readonly faint: string;
  readonly line: string;
  readonly tick: string;
  readonly sendTick: string;
  readonly harvestTick: string;
  readonly dataSend: string;
  readonly zeroSend: string;
  readonly depth: string;
  readonly logOn: string;
  readonly logInk: string;
  readonly phases: Readonly<Record<Phase, string>>;
  readonly phaseInk: string;
  readonly cursor: string;
}

/** What a migration is doing. */
export type Phase = "before" | "precopy" | "stopped" | "postcopy" | "after";

export const LIGHT: Palette = {
  lanes: {
    [Lane.None]: [246, 248, 250],
    [Lane.Stale]: [200, 32, 40],
    [Lane.Unsent]: [241, 190, 190],
    [Lane.Possible]: [240, 160, 40],
    [Lane.Healed]: [80, 184, 168],
    [Lane.Logged]: [42, 96, 170],
  },
  outside: [176, 184, 192],
  activity: [42, 60, 90],
  overLogged: [126, 87, 194],
  strip: "#eef1f5",
  ink: "#1f2937",
  faint: "#5b6573",
  line: "#c3cad3",
  tick: "#3b0a0d",
  sendTick: "#0b5c4f",
  harvestTick: "#173a66",
  dataSend: "#41566d",
  zeroSend: "#b3bfcc",
  depth: "#7e63a8",
  logOn: "#cfe0f3",
  logInk: "#1d4f8c",
  phases: {
    before: "#e2e6ea",
    precopy: "#f8dfa6",
    stopped: "#eba3a3",
    postcopy: "#cdb6e8",
    after: "#e2e6ea",
  },
  phaseInk: "#4b3a10",
  cursor: "#0b1220",
};

export const DARK: Palette = {
  lanes: {
    [Lane.None]: [22, 27, 34],
    [Lane.Stale]: [255, 84, 84],
    [Lane.Unsent]: [104, 52, 56],
    [Lane.Possible]: [214, 148, 42],
    [Lane.Healed]: [52, 142, 128],
    [Lane.Logged]: [74, 136, 214],
  },
  outside: [92, 101, 112],
  activity: [190, 208, 236],
  overLogged: [160, 128, 224],
  strip: "#1b222c",
  ink: "#e6edf3",
  faint: "#9aa7b4",
  line: "#3a4450",
  tick: "#ffe9e9",
  sendTick: "#7fe3cf",
  harvestTick: "#a9cdfb",
  dataSend: "#9fb4cb",
  zeroSend: "#4c5a69",
  depth: "#a58bd3",
  logOn: "#1d3a5c",
  logInk: "#a9cdfb",
  phases: {
    before: "#2a323c",
    precopy: "#5a4a1c",
    stopped: "#7a2e33",
    postcopy: "#4d3a6e",
    after: "#2a323c",
  },
  phaseInk: "#f4e3bd",
  cursor: "#f4f7fa",
};

export const css = ([red, green, blue]: Rgb): string => `rgb(${red} ${green} ${blue})`;

/** Which state decides the hue of a pixel that has several. */
export const SEVERITY: readonly Lane[] = [
  Lane.Stale,
  Lane.Possible,
  Lane.Unsent,
  Lane.Logged,
  Lane.Healed,
];
