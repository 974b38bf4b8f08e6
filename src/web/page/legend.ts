/** What the colours mean, with how many pages of the view are in each state; and the controls. */
import { html, type TemplateResult } from "lit";
import { Lane } from "../../history/page-states.ts";
import type { State, Store } from "./store.ts";

/** In the order of severity. */
export const MEANINGS: readonly [Lane, string, string][] = [
  [Lane.Stale, "stale", "missed: destination has old bytes"],
  [Lane.Unsent, "unsent", "missed, page not sent yet"],
  [Lane.Possible, "possible", "possibly stale"],
  [Lane.Healed, "healed", "missed, then covered"],
  [Lane.Logged, "logged", "written and logged, not sent yet"],
];

export function legend(store: Store, state: State): TemplateResult {
  const { summary, counts, mode, policy } = state;
  if (!summary) return html``;
  const number = (lane: Lane) =>
    mode === "states" ? (counts?.counts[lane]?.toLocaleString("en") ?? "") : "";
  return html`
    <div class="controls">
      <label>policy
        <select @change=${(event: Event) =>
          store.choose({ policy: (event.target as HTMLSelectElement).selectedIndex })}>
          ${summary.policies.map(
            ({ name, alias }, i) =>
              html`<option ?selected=${i === policy}>${alias ? `${name} (${alias})` : name}</option>`,
          )}
        </select>
      </label>
      <label>map shows
        <select @change=${(event: Event) =>
          store.choose({ mode: (event.target as HTMLSelectElement).value as State["mode"] })}>
          <option value="states" ?selected=${mode === "states"}>what became of pages</option>
          ${
            summary.level === "events"
              ? html`<option value="activity" ?selected=${mode === "activity"}>how often devices wrote</option>`
              : ""
          }
        </select>
      </label>
      <form @submit=${(event: Event) => goTo(store, event)}>
        <label>address <input id="address" name="address" size="14" placeholder="0x400000" autocomplete="off"></label>
        ${state.addressFailure ? html`<span class="hint" role="alert">${state.addressFailure}</span>` : ""}
      </form>
      <span class="zooms">
        <button type="button" ?hidden=${summary.timeline.length === 0}
          @click=${() => store.look(summary.view)}>whole migration</button>
        <button type="button" @click=${() =>
          store.look({
            from: summary.begin,
            to: summary.end,
            first: 0,
            last: summary.lanes,
          })}>whole recording</button>
      </span>
    </div>
    <ul class="legend">
      ${mode === "activity" ? html`<li>strip of writes:</li>` : ""}
      ${MEANINGS.map(
        ([lane, name, words]) =>
          html`<li><span class="swatch ${name}"></span>${words} <b>${number(lane)}</b></li>`,
      )}
      <li class="at">${counts && mode === "states" ? `pages in view at ${counts.at} s` : ""}</li>
    </ul>
    <p class="hint" ?hidden=${mode === "states"}>
      On the map, darker: written more often. ${
        summary.hasSends
          ? ""
          : "No page sends are recorded, so nobody can say which pages were sent after a write; every page that was left out of the log is possibly stale."
      }
    </p>
  `;
}

function goTo(store: Store, event: Event): void {
  event.preventDefault();
  const text = new FormData(event.target as HTMLFormElement).get("address");
  const address = Number(`${text ?? ""}`.trim());
  if (!Number.isSafeInteger(address) || address < 0 || `${text}`.trim() === "") {
    store.set({ addressFailure: "an address such as 0x400000" });
    return;
  }
  store.set({ addressFailure: null });
  store.inspect(Math.floor(address / 4096));
}
