/** What the page shows, and how it changes: one state, one worker, one function that draws. */
import type { StripNumbers } from "../draw/strip-numbers.ts";
import type { View } from "../draw/view.ts";
import type {
  ChosenFile,
  Comparison,
  DrawRequest,
  Form,
  FromWorker,
  Located,
  PageLife,
  PanelName,
  RequestFilter,
  RequestRow,
  Summary,
  ToWorker,
} from "../protocol.ts";

export interface State {
  phase: "empty" | "busy" | "ready";
  busy: { words: string; share: number | null };
  failure: string | null;
  files: ChosenFile[];
  /** What each file of a case is, once it was looked at. */
  told: { name: string; said: string; used: boolean }[];
  form: Form;
  formOpen: boolean;
  summary: Summary | null;
  view: View;
  policy: number;
  mode: "states" | "activity";
  /** The map shows what was logged and not written, too. */
  over: boolean;
  /** Number of the page that is inspected, and its lane. */
  page: number | null;
  lane: number | null;
  life: PageLife | null;
  located: Located | null;
  counts: { counts: number[]; at: string; strips: StripNumbers } | null;
  ticks: { y: number; address: string }[];
  strips: { label: string; top: number; height: number }[];
  filter: RequestFilter;
  /** Only requests of the time that is in view. */
  inView: boolean;
  filtered: number;
  rows: Map<number, RequestRow>;
  addressFailure: string | null;
  comparing: boolean;
  comparison: Comparison | null;
  comparisonFailure: string | null;
}

const NO_VIEW: View = { from: 0, to: 1, first: 0, last: 1 };
const NO_FILTER: RequestFilter = { queue: null, state: null, page: null, from: null, to: null };
const FIRST_FORM: Form = {
  policies: ["unpatched", "patched"],
  window: "auto",
  ran: "",
  clockPairs: "",
  offsets: {},
};

export class Store {
  state: State = {
    phase: "empty",
    busy: { words: "", share: null },
    failure: null,
    files: [],
    told: [],
    form: FIRST_FORM,
    formOpen: false,
    summary: null,
    view: NO_VIEW,
    policy: 0,
    mode: "states",
    over: false,
    page: null,
    lane: null,
    life: null,
    located: null,
    counts: null,
    ticks: [],
    strips: [],
    filter: NO_FILTER,
    inView: true,
    filtered: 0,
    rows: new Map(),
    addressFailure: null,
    comparing: false,
    comparison: null,
    comparisonFailure: null,
  };
  readonly #worker: Worker;
  readonly #render: (state: State) => void;
  #scheduled = false;
  /** Set by the pictures: they know their sizes. */
  draw: () => void = () => {};
  /** The view of the hash that the page was opened with. */
  startView: ((summary: Summary) => Partial<State>) | null = null;

  constructor(worker: Worker, render: (state: State) => void) {
    this.#worker = worker;
    this.#render = render;
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#receive(data);
    worker.onerror = (event) => this.set({ phase: "empty", failure: event.message });
  }

  send(message: ToWorker, transfer: Transferable[] = []): void {
    this.#worker.postMessage(message, transfer);
  }

  set(change: Partial<State>): void {
    this.state = { ...this.state, ...change };
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#render(this.state);
    });
  }

  /** Another stretch of time and pages. */
  look(view: View): void {
    const { summary } = this.state;
    if (!summary) return;
    this.set({ view: inside(view, summary), located: null });
    this.draw();
    this.#later();
  }

  /** Another policy, or another way of drawing. */
  choose(change: Partial<Pick<State, "policy" | "mode" | "over">>): void {
    this.set({ ...change, located: null });
    this.draw();
    const { page } = this.state;
    if (page !== null) this.inspect(page);
    this.#later();
  }

  inspect(page: number | null): void {
    if (page === null) this.set({ page: null, lane: null, life: null });
    else {
      this.set({ page });
      this.send({ type: "page", page, policy: this.state.policy });
    }
  }

  filter(change: Partial<RequestFilter>, inView = this.state.inView): void {
    this.set({ filter: { ...this.state.filter, ...change }, inView });
    this.#sendFilter();
  }

  #sendFilter(): void {
    const { filter, inView, view } = this.state;
    const times = inView ? { from: view.from, to: view.to } : { from: null, to: null };
    this.send({ type: "filter", filter: { ...filter, ...times } });
  }

  #timer: ReturnType<typeof setTimeout> | undefined;

  /** What need not keep up with the wheel: counts, the table, the hash. */
  #later(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const { view, policy, over, summary } = this.state;
      if (!summary) return;
      this.send({ type: "counts", policy, over, view, at: Math.min(view.to, summary.end) });
      if (summary.requests > 0) this.#sendFilter();
      this.onSettled();
    }, 120);
  }

  /** The view has come to rest. */
  onSettled: () => void = () => {};

  #receive(message: FromWorker): void {
    switch (message.type) {
      case "progress":
        this.set({ phase: "busy", busy: { words: message.words, share: message.share } });
        break;
      case "files":
        this.set({ told: message.files });
        break;
      case "failed":
        this.set({
          phase: this.state.summary ? "ready" : "empty",
          failure: message.message,
          formOpen: true,
        });
        break;
      case "opened": {
        const { summary } = message;
        const start = this.startView?.(summary) ?? {};
        this.startView = null;
        this.set({
          ...{ phase: "ready", failure: null, summary, formOpen: false },
          ...{ view: summary.view, policy: 0, mode: summary.mode },
          ...{ comparing: false, comparison: null, comparisonFailure: null },
          ...{ page: null, lane: null, life: null, located: null, counts: null },
          ...{ filter: NO_FILTER, rows: new Map<number, RequestRow>(), filtered: 0 },
          ...start,
        });
        this.draw();
        this.#later();
        break;
      }
      case "compared":
        this.set({
          comparing: false,
          comparison: message.comparison,
          comparisonFailure: message.message,
        });
        break;
      case "drawn":
        this.set({ ticks: message.ticks, strips: message.strips });
        this.onDrawn(message);
        break;
      case "counts":
        this.set({ counts: { counts: message.counts, at: message.at, strips: message.strips } });
        break;
      case "located":
        this.set({ located: message.found });
        break;
      case "page": {
        const { life } = message;
        const failure = life ? null : "no device wrote in the 2 MiB around this address";
        this.set({ life, lane: life?.lane ?? null, addressFailure: failure });
        this.draw();
        break;
      }
      case "filtered":
        this.set({ filtered: message.count, rows: new Map() });
        break;
      case "rows": {
        const rows = new Map(this.state.rows);
        if (rows.size > 4000) rows.clear();
        message.rows.forEach((row, i) => {
          rows.set(message.from + i, row);
        });
        this.set({ rows });
        break;
      }
      default:
    }
  }

  /** Pictures were drawn: how long the worker took, milliseconds, and for which ground. */
  onDrawn: (drawn: { millis: number; dark: boolean }) => void = () => {};

  /** A request to draw what is in view, for panels of these sizes. */
  request(
    panels: { name: PanelName; width: number; mapHeight: number }[],
    dark: boolean,
  ): DrawRequest {
    const { view, policy, mode, over, lane, summary } = this.state;
    return {
      type: "draw",
      id: 0,
      panels: panels.map(({ name, width, mapHeight }) => ({
        ...{ name, width, mapHeight },
        from: name === "last" ? summary!.last!.from : view.from,
        to: name === "last" ? summary!.last!.to : view.to,
      })),
      ...{ first: view.first, last: view.last, policy, mode, over, dark },
      ...{ ratio: window.devicePixelRatio || 1, selected: lane, cursor: null },
    };
  }
}

/** A view within the recording, of at least one page and a microsecond. */
function inside(view: View, { begin, end, lanes }: Summary): View {
  const long = Math.min(Math.max(view.to - view.from, 1000), end - begin);
  const tall = Math.min(Math.max(view.last - view.first, 1), lanes);
  const from = Math.min(Math.max(view.from, begin), end - long);
  const first = Math.min(Math.max(view.first, 0), lanes - tall);
  return { from, to: from + long, first, last: first + tall };
}
