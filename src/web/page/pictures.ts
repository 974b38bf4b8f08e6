/** The pictures: canvases that the worker draws on, and what the pointer and the keys do on them. */
import { html, type TemplateResult } from "lit";
import type { View } from "../draw/view.ts";
import type { PanelName } from "../protocol.ts";
import { legend } from "./legend.ts";
import type { State, Store } from "./store.ts";

const MAP_HEIGHT = 440;
/** What fits between the margins of A4 and of Letter, CSS pixels. */
const PAPER = 690;
/** How much a turn of the wheel zooms. */
const ZOOM = 1.25;
/** A press that moves less is a click. */
const CLICK = 4;

interface PanelElements {
  name: PanelName;
  frame: HTMLElement;
  strips: HTMLCanvasElement;
  map: HTMLCanvasElement;
  box: HTMLElement;
}

/** Makes the canvases, and hands their drawing to the worker. */
export class Pictures {
  readonly #store: Store;
  readonly #panels: Record<PanelName, PanelElements>;
  readonly #dark = matchMedia("(prefers-color-scheme: dark)");
  /** Pictures for paper were asked for: what to do when they are there. */
  #onPaper: (() => void) | null = null;

  constructor(store: Store) {
    this.#store = store;
    this.#panels = { main: this.#panel("main"), last: this.#panel("last") };
    store.draw = () => this.draw();
    new ResizeObserver(() => this.draw()).observe(this.#panels.main.frame);
    this.#dark.addEventListener("change", () => this.draw());
    addEventListener("beforeprint", () => this.#fit(true));
    addEventListener("afterprint", () => this.#fit(false));
  }

  /** Prints the page, with pictures for a light ground. */
  print(): void {
    this.#onPaper = () => window.print();
    this.draw();
  }

  /** The worker has drawn for a light ground. */
  drawn(): void {
    const print = this.#onPaper;
    this.#onPaper = null;
    if (!print) return;
    // The words beside the pictures first.
    requestAnimationFrame(() => {
      print();
      this.draw();
    });
  }

  /** Paper is narrower: pictures and the words beside them are made smaller together, not drawn anew. */
  #fit(onPaper: boolean): void {
    const pictures = this.#panels.main.frame.closest<HTMLElement>(".pictures");
    if (!pictures) return;
    const width = pictures.clientWidth;
    pictures.style.width = onPaper ? `${width}px` : "";
    pictures.style.zoom = onPaper ? `${Math.min(1, PAPER / width)}` : "";
  }

  #panel(name: PanelName): PanelElements {
    const frame = document.createElement("div");
    frame.className = "frame";
    const strips = document.createElement("canvas");
    const map = document.createElement("canvas");
    strips.className = "strips";
    map.className = "map";
    strips.setAttribute("role", "img");
    map.setAttribute("role", "img");
    const box = document.createElement("div");
    box.className = "box";
    const own = name === "main" ? "the recording" : "the last rounds";
    strips.setAttribute(
      "aria-label",
      `Time line of ${own}: dirty log, writes, sends, requests, syncs`,
    );
    map.setAttribute(
      "aria-label",
      `Guest memory over time, ${own}; the numbers are in the table below`,
    );
    const holder = document.createElement("div");
    holder.className = "map-holder";
    holder.append(map, box);
    frame.append(strips, holder);
    const offscreen = [
      strips.transferControlToOffscreen(),
      map.transferControlToOffscreen(),
    ] as const;
    const message = {
      type: "canvas",
      panel: name,
      strips: offscreen[0],
      map: offscreen[1],
    } as const;
    this.#store.send(message, [...offscreen]);
    const elements = { name, frame, strips, map, box };
    this.#listen(elements, holder);
    return elements;
  }

  /** Asks the worker for pictures of what is in view. */
  draw(): void {
    const { summary } = this.#store.state;
    if (!summary) return;
    const panels = Object.values(this.#panels)
      .filter(({ name, frame }) => (name === "main" || summary.last) && frame.clientWidth > 0)
      .map(({ name, frame }) => ({ name, width: frame.clientWidth, mapHeight: MAP_HEIGHT }));
    if (panels.length > 0) {
      const dark = this.#dark.matches && this.#onPaper === null;
      this.#store.send(this.#store.request(panels, dark));
    }
  }

  /** Times of a panel. */
  #times(name: PanelName): { from: number; to: number } {
    const { view, summary } = this.#store.state;
    return name === "last" ? (summary?.last ?? view) : view;
  }

  #listen({ name, box }: PanelElements, holder: HTMLElement): void {
    let start: { x: number; y: number } | null = null;
    const at = (event: MouseEvent) => {
      const edge = holder.getBoundingClientRect();
      return { x: event.clientX - edge.left, y: event.clientY - edge.top };
    };
    holder.addEventListener("wheel", (event) => {
      if (event.deltaY === 0) return;
      event.preventDefault();
      const factor = event.deltaY > 0 ? ZOOM : 1 / ZOOM;
      const point = at(event);
      const fraction = { x: point.x / holder.clientWidth, y: point.y / MAP_HEIGHT };
      const time = event.shiftKey || name === "last" ? 1 : factor;
      this.#zoom(time, event.ctrlKey ? 1 : factor, fraction);
    });
    holder.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      start = at(event);
      holder.setPointerCapture(event.pointerId);
    });
    holder.addEventListener("pointermove", (event) => {
      const point = at(event);
      if (start) {
        const style = box.style;
        style.display = "block";
        style.left = `${Math.min(start.x, point.x)}px`;
        style.top = `${Math.min(start.y, point.y)}px`;
        style.width = `${Math.abs(point.x - start.x)}px`;
        style.height = `${Math.abs(point.y - start.y)}px`;
      } else this.#locate(name, point, holder.clientWidth);
    });
    holder.addEventListener("pointerleave", () => this.#store.set({ located: null }));
    holder.addEventListener("pointerup", (event) => {
      box.style.display = "none";
      const from = start;
      start = null;
      if (!from) return;
      const to = at(event);
      if (Math.hypot(to.x - from.x, to.y - from.y) < CLICK) this.#pick();
      else this.#select(name, from, to, holder.clientWidth);
    });
  }

  #locate(name: PanelName, { x, y }: { x: number; y: number }, width: number): void {
    const { view, policy, over, phase } = this.#store.state;
    if (phase !== "ready" || y < 0 || y >= MAP_HEIGHT) return;
    const own = { ...view, ...this.#times(name) };
    this.#store.send({ type: "locate", x, y, view: own, width, height: MAP_HEIGHT, policy, over });
  }

  #pick(): void {
    const { located } = this.#store.state;
    if (located) this.#store.inspect(located.page);
  }

  /** A rectangle becomes the view. */
  #select(
    name: PanelName,
    a: { x: number; y: number },
    b: { x: number; y: number },
    width: number,
  ) {
    const { view } = this.#store.state;
    const { from, to } = this.#times(name);
    const time = (x: number) => from + (Math.min(Math.max(x, 0), width) / width) * (to - from);
    const lane = (y: number) =>
      view.first + (Math.min(Math.max(y, 0), MAP_HEIGHT) / MAP_HEIGHT) * (view.last - view.first);
    const next: View = { ...view };
    if (Math.abs(a.x - b.x) >= CLICK) {
      next.from = time(Math.min(a.x, b.x));
      next.to = time(Math.max(a.x, b.x));
    }
    if (Math.abs(a.y - b.y) >= CLICK) {
      next.first = Math.floor(lane(Math.min(a.y, b.y)));
      next.last = Math.ceil(lane(Math.max(a.y, b.y)));
    }
    this.#store.look(next);
  }

  #zoom(time: number, pages: number, { x, y }: { x: number; y: number }): void {
    const { view } = this.#store.state;
    const ns = view.from + x * (view.to - view.from);
    const lane = view.first + y * (view.last - view.first);
    this.#store.look({
      from: ns - (ns - view.from) * time,
      to: ns + (view.to - ns) * time,
      first: lane - (lane - view.first) * pages,
      last: lane + (view.last - lane) * pages,
    });
  }

  /** Arrows move, + and - zoom, 0 shows all. True: the key was one of these. */
  key(event: KeyboardEvent): boolean {
    const { view, summary } = this.#store.state;
    if (!summary) return false;
    const [wide, tall] = [(view.to - view.from) / 8, (view.last - view.first) / 8];
    const middle = { x: 0.5, y: 0.5 };
    const move = (time: number, lanes: number) =>
      this.#store.look({
        from: view.from + time,
        to: view.to + time,
        first: view.first + lanes,
        last: view.last + lanes,
      });
    switch (event.key) {
      case "ArrowLeft":
        move(-wide, 0);
        return true;
      case "ArrowRight":
        move(wide, 0);
        return true;
      case "ArrowUp":
        move(0, -tall);
        return true;
      case "ArrowDown":
        move(0, tall);
        return true;
      case "+":
      case "=":
        this.#zoom(event.shiftKey && event.key === "=" ? 1 : 1 / ZOOM, 1 / ZOOM, middle);
        return true;
      case "-":
        this.#zoom(ZOOM, ZOOM, middle);
        return true;
      case "0":
        this.#store.look(summary.view);
        return true;
      default:
        return false;
    }
  }

  /** The pictures with their edges, and the legend between strips and map. */
  template(state: State): TemplateResult {
    const { summary, strips, ticks } = state;
    const last = strips.at(-1);
    const mapTop = last ? last.top + last.height + 6 : 0;
    return html`
      ${legend(this.#store, state)}
      <div class="pictures" tabindex="0" role="group" aria-label="Pictures. Arrow keys move, plus and minus zoom, 0 shows all."
        @keydown=${(event: KeyboardEvent) => {
          if (!event.ctrlKey && !event.metaKey && this.key(event)) event.preventDefault();
        }}>
        <div class="edge" aria-hidden="true">
          ${strips.map(
            ({ label, top, height }) =>
              html`<div class="strip-name" style="top:${top + height / 2}px">${label}</div>`,
          )}
          ${ticks.map(
            ({ y, address }) =>
              html`<div class="address" style="top:${mapTop + y}px">${address}</div>`,
          )}
        </div>
        <div class="panel main">${this.#panels.main.frame}</div>
        <div class="panel last" ?hidden=${!summary?.last}>
          ${this.#panels.last.frame}
          <div class="panel-name">last rounds and switchover</div>
        </div>
      </div>
      <div class="located" role="status">${state.located?.lines.join(" · ") ?? HELP}</div>
    `;
  }
}

const HELP =
  "Point at the map for a page, click for its life. Wheel zooms (Shift: pages, Ctrl: time), " +
  "drag selects, 0 shows all.";
