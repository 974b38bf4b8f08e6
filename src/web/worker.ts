/** The worker: holds the history, replays, and draws, so that typing and zooming never wait. */
import type { CaseFile } from "../case/case.ts";
import { type CoreModule, compileCore } from "../core/core.ts";
import { readHistory } from "../history/index.ts";
import { LANE_STATES, Lane, type PageStates } from "../history/lanes.ts";
import { RecordingError, UsageError } from "../model/place.ts";
import { byteSize } from "../report/text/number-text.ts";
import { Case } from "./case.ts";
import { compareCases } from "./comparison.ts";
import { AXIS_HEIGHT, addressTicks, drawMap } from "./draw/map-picture.ts";
import { lanesOfRow } from "./draw/memory-map.ts";
import { DARK, LIGHT } from "./draw/palette.ts";
import { stripNumbers } from "./draw/strip-numbers.ts";
import { type Context, drawStrips, layOutStrips } from "./draw/strips.ts";
import type { View } from "./draw/view.ts";
import { historyBytes, replayFiles } from "./open-files.ts";
import { lifeOf, locate, timeText } from "./page-life.ts";
import type { ChosenFile, DrawRequest, Form, FromWorker, PanelName, ToWorker } from "./protocol.ts";
import { filterRequests, requestRow } from "./request-table.ts";
import { summarise, withoutOptions } from "./words.ts";

interface Canvases {
  strips: OffscreenCanvas;
  map: OffscreenCanvas;
}

/** What is asked of the scope of a worker, without the types of one. */
interface WorkerScope {
  postMessage(message: FromWorker): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
}
const scope = globalThis as unknown as WorkerScope;

let core: Promise<CoreModule> | null = null;
let tool = { name: "vhost-replay", version: "" };
let one: Case | null = null;
let filtered: Uint32Array = new Uint32Array(0);
/** The newest request to draw; older ones are dropped. */
let wanted: DrawRequest | null = null;
const canvases = new Map<PanelName, Canvases>();

scope.onmessage = ({ data }) => {
  handle(data).catch((error: unknown) =>
    scope.postMessage({ type: "failed", message: wordsOf(error) }),
  );
};

function wordsOf(error: unknown): string {
  const known = error instanceof RecordingError || error instanceof UsageError;
  const text = error instanceof Error ? error.message : String(error);
  return known
    ? withoutOptions(text)
    : `This is a bug in vhost-replay; please report it with these words: ${text}`;
}

async function handle(message: ToWorker): Promise<void> {
  switch (message.type) {
    case "start":
      tool = message.tool;
      core = compileCore(message.core);
      break;
    case "open":
      await open(message);
      break;
    case "compare":
      await compare(message);
      break;
    case "history": {
      const { name, bytes } = message;
      const blob = bytes instanceof Blob ? bytes : new Blob([bytes as Uint8Array<ArrayBuffer>]);
      const own = await historyBytes(name, blob);
      if (!own) throw new RecordingError({ file: name, at: "" }, "a history");
      show(new Case(readHistory(name, own)));
      break;
    }
    case "canvas":
      canvases.set(message.panel, { strips: message.strips, map: message.map });
      break;
    case "draw":
      if (!wanted) setTimeout(draw, 0);
      wanted = message;
      break;
    default:
      if (one) answer(one, message);
  }
}

async function open({ files, form }: Extract<ToWorker, { type: "open" }>): Promise<void> {
  const onFiles = (told: readonly CaseFile[]) =>
    scope.postMessage({ type: "files", files: [...told] });
  const next = await caseOf(files, form, onFiles, (bytes, total, events) => {
    const share = total > 0 ? Math.min(bytes / total, 1) : null;
    scope.postMessage({ type: "progress", words: `${byteSize(bytes)}, ${events} events`, share });
  });
  scope.postMessage({ type: "progress", words: "drawing", share: null });
  show(next);
}

/** A history as it is, or recordings replayed. */
async function caseOf(
  files: readonly ChosenFile[],
  form: Form,
  onFiles: (files: readonly CaseFile[]) => void,
  onProgress: (bytes: number, total: number, events: number) => void,
): Promise<Case> {
  const [only] = files;
  if (files.length === 1 && only) {
    const bytes = await historyBytes(only.name, only.file);
    if (bytes) return new Case(readHistory(only.name, bytes));
  }
  if (!core) throw new Error("the core is missing");
  return new Case(await replayFiles(await core, files, form, tool, onFiles, onProgress));
}

/** What is open stays open, whatever the other one is. */
async function compare({ files, form }: Extract<ToWorker, { type: "compare" }>): Promise<void> {
  if (!one) return;
  try {
    const other = await caseOf(
      files,
      form,
      () => {},
      () => {},
    );
    const name = files.map((file) => file.name).join(" + ");
    const comparison = compareCases(one, other, name);
    scope.postMessage({ type: "compared", comparison, message: null });
  } catch (error) {
    scope.postMessage({ type: "compared", comparison: null, message: wordsOf(error) });
  }
}

function show(next: Case): void {
  one = next;
  filtered = new Uint32Array(0);
  scope.postMessage({ type: "opened", summary: summarise(next) });
}

function answer(own: Case, message: ToWorker): void {
  switch (message.type) {
    case "counts": {
      const { states } = own.policy(message.policy, message.over);
      const counts = countStates(states, message.view, message.at);
      const strips = stripNumbers(own.strips(message.policy, message.over), message.view);
      scope.postMessage({ type: "counts", counts, at: timeText(own, message.at), strips });
      break;
    }
    case "locate": {
      const { states } = own.policy(message.policy, message.over);
      const [lane] = lanesOfRow(message.view, message.height, message.y);
      const { from, to } = message.view;
      const ns = from + (message.x / message.width) * (to - from);
      const found = locate(own, lane, ns, message.policy, states);
      scope.postMessage({ type: "located", found });
      break;
    }
    case "page":
      scope.postMessage({ type: "page", life: lifeOf(own, message.page, message.policy) });
      break;
    case "filter":
      filtered = filterRequests(own, message.filter);
      scope.postMessage({ type: "filtered", count: filtered.length });
      break;
    case "rows": {
      const part = filtered.subarray(message.from, message.from + message.count);
      const rows = Array.from(part, (i) => requestRow(own, i));
      scope.postMessage({ type: "rows", from: message.from, rows });
      break;
    }
    default:
  }
}

/** How many pages of a view are in each state at a moment. */
function countStates(states: PageStates, view: View, at: number): number[] {
  const counts = new Array<number>(LANE_STATES).fill(0);
  const last = Math.min(states.first.length - 1, Math.ceil(view.last));
  for (let lane = Math.max(0, Math.floor(view.first)); lane < last; lane++) {
    let state: Lane = Lane.None;
    for (let i = states.first[lane]!; i < states.first[lane + 1]! && states.ns[i]! <= at; i++) {
      state = states.state[i]!;
    }
    counts[state]!++;
  }
  return counts;
}

function draw(): void {
  const request = wanted;
  wanted = null;
  if (!request || !one) return;
  const began = performance.now();
  const palette = request.dark ? DARK : LIGHT;
  const { states } = one.policy(request.policy, request.over);
  const data = one.strips(request.policy, request.over);
  const { strips, height } = layOutStrips(data);
  for (const panel of request.panels) {
    const own = canvases.get(panel.name);
    if (!own) continue;
    const view = { from: panel.from, to: panel.to, first: request.first, last: request.last };
    const { ratio } = request;
    const context = sized(own.strips, panel.width, height, ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    drawStrips(context, data, view, panel.width, palette);
    const map = sized(own.map, panel.width, panel.mapHeight + AXIS_HEIGHT, ratio);
    const { mode, selected, cursor } = request;
    const size = { view, width: panel.width, height: panel.mapHeight, ratio };
    drawMap(map, states, data, one.origin, { ...size, mode, selected, cursor }, palette);
  }
  const view = { first: request.first, last: request.last, from: 0, to: 1 };
  const ticks = addressTicks(states.blocks, view, request.panels[0]?.mapHeight ?? 1);
  const millis = performance.now() - began;
  const { id, dark } = request;
  scope.postMessage({ type: "drawn", id, ticks, strips, dark, millis });
}

function sized(canvas: OffscreenCanvas, width: number, height: number, ratio: number): Context {
  const [wide, tall] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide) canvas.width = wide;
  if (canvas.height !== tall) canvas.height = tall;
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser draws nothing in a worker");
  return context;
}
