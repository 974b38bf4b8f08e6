/** Files, and what is said about them: what the command line has options for. */
import { html, type TemplateResult } from "lit";
import { POLICIES, refusal } from "../../vhost/policy.ts";
import type { ChosenFile, Form } from "../protocol.ts";
import type { State, Store } from "./store.ts";

const NAMES = [
  "unpatched",
  "patched",
  ...POLICIES.filter((p) => refusal(p) === null).map((p) => p.name),
];

/** Adds files to those that wait for a mend, or opens them instead of what is open. */
export function addFiles(store: Store, list: readonly File[]): void {
  const chosen = list.map((file) => ({ name: file.name, file }));
  const waiting = store.state.failure === null ? [] : store.state.files;
  const names = new Set(chosen.map(({ name }) => name));
  const others = waiting.filter(({ name }) => !names.has(name));
  store.set({ files: [...others, ...chosen], told: [], failure: null });
  open(store);
}

export function open(store: Store): void {
  const { files, form } = store.state;
  store.set({ phase: "busy", busy: { words: "reading", share: null }, failure: null });
  store.send({ type: "open", files, form });
}

export function openForm(store: Store, state: State): TemplateResult {
  const { form, files } = state;
  const change = (part: Partial<Form>) => store.set({ form: { ...form, ...part } });
  return html`
    <section class="open" aria-labelledby="open">
      <h2 id="open">${state.summary ? "Open recordings" : "vhost-replay"}</h2>
      ${
        state.summary
          ? ""
          : html`<p class="pitch">Which guest pages did a vhost back end write and leave out of its dirty log,
        and which of them are stale at the destination of a live migration?</p>`
      }
      <label class="drop">
        <input type="file" multiple @change=${(event: Event) => {
          const input = event.target as HTMLInputElement;
          addFiles(store, [...(input.files ?? [])]);
        }}>
        <b>Drop recordings here, or choose files.</b> Several at once: the host's trace, the source's and the
        destination's log, clock pairs, a memory map; a bundle; or a history. ftrace text, trace.dat, QEMU log,
        simpletrace, NDJSON; gzip, zstd, xz, tar.
      </label>
      <p class="hint">Nothing leaves this page: it makes no connection, and works without one.</p>
      ${state.failure ? html`<p class="failure" role="alert">${state.failure}</p>` : ""}
      ${
        files.length === 0
          ? ""
          : html`<table><thead><tr><th>file</th><th>is</th><th>clock offset, s</th><th></th></tr></thead>
        <tbody>${files.map((chosen) => fileRow(store, state, chosen, change))}</tbody></table>`
      }
      <div class="fields">
        <fieldset><legend>Policies</legend>
          <div class="choices">${NAMES.map(
            (name) => html`<label><input type="checkbox" .checked=${form.policies.includes(name)}
              @change=${(event: Event) => {
                const on = (event.target as HTMLInputElement).checked;
                const others = form.policies.filter((other) => other !== name);
                change({ policies: on ? [...others, name] : others });
              }}>${name}</label>`,
          )}</div></fieldset>
        <div>
          <fieldset><legend>Which writes count</legend>
            ${(
              [
                ["auto", "as the recording shows; all, where logging is never on"],
                ["recorded", "while the recording shows logging on"],
                ["assumed", "all, as if logging had been on"],
              ] as const
            ).map(
              ([
                value,
                words,
              ]) => html`<label><input type="radio" name="window" .checked=${form.window === value}
                @change=${() => change({ window: value })}>${words}</label>`,
            )}</fieldset>
          <label>The vhost that ran, where it is known
            <select @change=${(event: Event) => change({ ran: (event.target as HTMLSelectElement).value })}>
              <option value="">not known</option>
              ${NAMES.slice(2).map((name) => html`<option ?selected=${form.ran === name}>${name}</option>`)}
            </select></label>
          <label>Clock pairs of the host, a line each
            <textarea rows="3" placeholder="realtime=1795398785.914295 monotonic=18.123997"
              .value=${form.clockPairs}
              @input=${(event: Event) => change({ clockPairs: (event.target as HTMLTextAreaElement).value })}></textarea></label>
        </div>
      </div>
      <p>
        <button type="button" class="primary" ?disabled=${files.length === 0 || state.phase === "busy"}
          @click=${() => open(store)}>Replay</button>
        ${state.summary ? html`<button type="button" @click=${() => store.set({ formOpen: false })}>Cancel</button>` : ""}
      </p>
    </section>
  `;
}

function fileRow(
  store: Store,
  { files, form, told }: State,
  chosen: ChosenFile,
  change: (part: Partial<Form>) => void,
): TemplateResult {
  const said = told.find(({ name }) => name === chosen.name)?.said ?? "";
  return html`<tr><td>${chosen.name}</td>
    <td>${said}</td>
    <td><input aria-label="clock offset of ${chosen.name}" size="20" .value=${form.offsets[chosen.name] ?? ""}
      @input=${(event: Event) =>
        change({
          offsets: { ...form.offsets, [chosen.name]: (event.target as HTMLInputElement).value },
        })}></td>
    <td><button type="button" aria-label="remove ${chosen.name}"
      @click=${() => store.set({ files: files.filter((file) => file !== chosen) })}>×</button></td></tr>`;
}
