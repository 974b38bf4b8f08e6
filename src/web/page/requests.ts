/** The table of requests: rows of one height, made only where they are seen. */
import { html, type TemplateResult } from "lit";
import { REQUEST_STATES } from "../../history/tables.ts";
import type { RequestRow } from "../protocol.ts";
import type { State, Store } from "./store.ts";

const ROW = 22;
const SEEN = 18;
/** Browsers cut elements that are taller than some 33 million pixels. */
const TALLEST = 20_000_000;
/** Rows that are asked for at once. */
const BATCH = 60;

export class Requests {
  readonly #store: Store;
  #first = 0;
  #asked = "";

  constructor(store: Store) {
    this.#store = store;
  }

  #scrolled(element: HTMLElement, count: number): void {
    const tall = Math.min(count * ROW, TALLEST);
    const most = Math.max(0, count - SEEN);
    // Where the bar cannot have a pixel for each row it is stretched over all of them.
    const share = element.scrollTop / Math.max(1, tall - SEEN * ROW);
    const first =
      count * ROW > TALLEST ? Math.round(share * most) : Math.floor(element.scrollTop / ROW);
    this.#first = Math.min(most, Math.max(0, first));
    this.#store.set({});
  }

  #ask(rows: ReadonlyMap<number, RequestRow>, first: number, last: number, filtered: number): void {
    for (let i = first; i < last; i++) {
      if (rows.has(i)) continue;
      const from = Math.floor(i / BATCH) * BATCH;
      const key = `${from} ${filtered} ${rows.size === 0}`;
      if (key !== this.#asked) this.#store.send({ type: "rows", from, count: BATCH * 2 });
      this.#asked = key;
      return;
    }
  }

  template(state: State): TemplateResult {
    const { summary, filter, inView, filtered, rows } = state;
    if (!summary || summary.requests === 0) return html``;
    const first = Math.min(this.#first, Math.max(0, filtered - SEEN));
    const last = Math.min(filtered, first + SEEN + 1);
    this.#ask(rows, first, last, filtered);
    const tall = Math.min(filtered * ROW, TALLEST);
    const share = filtered <= SEEN ? 0 : first / (filtered - SEEN);
    const top = filtered * ROW > TALLEST ? share * (tall - SEEN * ROW) : first * ROW;
    const numbers = Array.from({ length: last - first }, (_, i) => first + i);
    return html`
      <section aria-labelledby="requests"><h2 id="requests">Requests</h2>
        <div class="controls">
          <label>queue <select @change=${(event: Event) => this.#choose(event, "queue")}>
            <option value="">all</option>
            ${summary.queues
              .filter(({ label }) => !label.endsWith("unknown"))
              .map(
                ({ number, label }) =>
                  html`<option value=${number} ?selected=${filter.queue === number}>${label}</option>`,
              )}
          </select></label>
          <label>state <select @change=${(event: Event) => this.#choose(event, "state")}>
            <option value="">all</option>
            ${REQUEST_STATES.map((name, i) => html`<option value=${i} ?selected=${filter.state === i}>${name}</option>`)}
          </select></label>
          <label><input type="checkbox" .checked=${inView}
            @change=${(event: Event) => this.#store.filter({}, (event.target as HTMLInputElement).checked)}>
            only in the time that is in view</label>
          ${
            filter.page === null
              ? ""
              : html`<button type="button" @click=${() => this.#store.filter({ page: null })}>
                only those that wrote page 0x${(filter.page * 4096).toString(16)} ×</button>`
          }
          <span class="hint">${filtered.toLocaleString("en")} of ${summary.requests.toLocaleString("en")} requests</span>
        </div>
        <div class="scroll requests" role="table" aria-rowcount=${filtered} aria-label="Requests" tabindex="0"
          @scroll=${(event: Event) => this.#scrolled(event.currentTarget as HTMLElement, filtered)}>
          <div class="row head" role="row">${HEADS.map((head) => html`<span role="columnheader">${head}</span>`)}</div>
          <div class="tall" style="height:${tall}px"><div class="rows" style="top:${top}px">
            ${numbers.map((number) => rowTemplate(number, rows.get(number)))}
          </div></div>
        </div>
      </section>
    `;
  }

  #choose(event: Event, key: "queue" | "state"): void {
    const { value } = event.target as HTMLSelectElement;
    this.#store.filter({ [key]: value === "" ? null : Number(value) });
  }
}

const HEADS = [
  "serial",
  "queue",
  "head",
  "popped, s",
  "completed, s",
  "µs",
  "state",
  "bytes written",
  "bytes read",
  "writes",
  "where",
];

function rowTemplate(number: number, row: RequestRow | undefined): TemplateResult {
  const cells = row
    ? [
        `${row.serial}`,
        row.queue,
        row.head,
        row.popped,
        row.completed,
        row.micros,
        row.state,
        row.written,
        row.read,
        row.cause,
        row.place,
      ]
    : ["…", "", "", "", "", "", "", "", "", "", ""];
  return html`<div class="row" role="row" aria-rowindex=${number + 1}>
    ${cells.map((cell) => html`<span role="cell" title=${cell}>${cell}</span>`)}</div>`;
}
