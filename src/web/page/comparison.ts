/** Another recording or history beside the one that is open. */
import { html, type TemplateResult } from "lit";
import type { State, Store } from "./store.ts";

const count = (n: number): string => n.toLocaleString("en");

export function comparisonSection(store: Store, state: State): TemplateResult {
  const { comparison, comparing, comparisonFailure } = state;
  return html`
    <section aria-labelledby="compare"><h2 id="compare">Compare</h2>
      <label class="hint">with another recording, or a history of one:
        <input id="compare-files" type="file" multiple @change=${(event: Event) => {
          const files = [...((event.target as HTMLInputElement).files ?? [])];
          if (files.length === 0) return;
          store.set({ comparing: true, comparison: null, comparisonFailure: null });
          const chosen = files.map((file) => ({ name: file.name, file }));
          store.send({ type: "compare", files: chosen, form: state.form });
        }}></label>
      ${comparing ? html`<p role="status">reading</p>` : ""}
      ${comparisonFailure ? html`<p class="failure" role="alert">${comparisonFailure}</p>` : ""}
      ${
        comparison === null
          ? ""
          : comparison.rows.length === 0
            ? html`<p>Both have no policy in common.</p>`
            : html`<p>Pages that are stale or possibly stale at the end, here and in <b>${comparison.name}</b>.
              The same page number is the same memory only where both are of one guest.</p>
            <div class="scroll"><table class="numbers">
              <thead><tr><th>policy</th><th>here</th><th>there</th><th>in both</th><th>only here</th>
                <th>only there</th><th class="words">which</th></tr></thead>
              <tbody>${comparison.rows.map(
                (row) => html`<tr><th scope="row">${row.policy}</th><td>${count(row.here)}</td>
                  <td>${count(row.there)}</td><td>${count(row.both)}</td><td>${count(row.onlyHere)}</td>
                  <td>${count(row.onlyThere)}</td>
                  <td class="words">${row.runsHere === "" ? "" : html`only here: ${row.runsHere}<br>`}
                    ${row.runsThere === "" ? "" : html`only there: ${row.runsThere}`}</td></tr>`,
              )}</tbody></table></div>`
      }
    </section>
  `;
}
