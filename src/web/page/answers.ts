/** The answer in words and tables: verdict, policies, the page that is inspected, rounds, findings, limits. */
import { html, type TemplateResult } from "lit";
import { Lane } from "../../history/lanes.ts";
import { SEND_KINDS } from "../../history/tables.ts";
import { OUTSIDE } from "../draw/fates.ts";
import type { StripNumbers } from "../draw/strip-numbers.ts";
import type { Summary } from "../protocol.ts";
import { MEANINGS } from "./legend.ts";
import type { State, Store } from "./store.ts";

const count = (n: number | null): string => (n === null ? "not known" : n.toLocaleString("en"));

/** Numbers of a sentence stand out. */
function emphasised(sentence: string): TemplateResult[] {
  return sentence
    .split(/(\b\d[\d,]{0,20} (?:guest )?pages?\b|\bno (?:guest )?page\b)/)
    .map((part, i) => {
      if (i % 2 === 0) return html`${part}`;
      return html`<strong class=${/^no/.test(part) ? "none" : ""}>${part}</strong>`;
    });
}

export function verdictStrip({ inputs, lead, bad, more, timeline }: Summary): TemplateResult {
  return html`
    <header class="verdict ${bad ? "bad" : "good"}">
      <p class="files">${inputs.map(({ name }) => name).join(" + ")}</p>
      <h1>${emphasised(lead)}</h1>
      ${more.map((sentence) => html`<p>${emphasised(sentence)}</p>`)}
      ${timeline.map((sentence) => html`<p class="timeline">${sentence}</p>`)}
    </header>
  `;
}

export function policyMatrix(store: Store, state: State): TemplateResult {
  const { policies } = state.summary!;
  const migrated = policies.some(({ verdict }) => verdict !== null);
  return html`
    <section aria-labelledby="policies"><h2 id="policies">Policies</h2>
      <p class="hint">Which vhost ran decides what was logged. Click one to see the map as it would have been.</p>
      <div class="scroll"><table class="numbers">
        <thead><tr><th>policy</th><th>pages logged</th><th>left out</th><th>left out at the end</th>
          ${migrated ? html`<th>stale</th><th>possibly</th><th>healed</th>` : ""}<th class="words">what it is</th></tr></thead>
        <tbody>${policies.map(
          ({ name, alias, title, logged, lost, stillLost, verdict }, i) => html`
            <tr class=${i === state.policy ? "chosen" : ""}>
              <th scope="row"><button type="button" aria-pressed=${i === state.policy}
                @click=${() => store.choose({ policy: i })}>${alias ? `${name} (${alias})` : name}</button></th>
              <td>${count(logged)}</td><td>${count(lost)}</td><td>${count(stillLost)}</td>
              ${
                migrated
                  ? html`<td class=${(verdict?.best ?? 0) > 0 ? "red" : ""}>${verdict ? count(verdict.best) : ""}</td>
                  <td>${verdict ? count(verdict.possibly) : ""}</td><td>${verdict ? count(verdict.healed) : ""}</td>`
                  : ""
              }
              <td class="words">${title}${verdict?.whatIf ? " — what if: the sends fit a vhost that logs more" : ""}</td>
            </tr>`,
        )}</tbody>
      </table></div>
    </section>
  `;
}

/** The numbers behind the pictures: of the map where it shows states, and of the strips. */
export function numberTables({ counts, mode, summary }: State): TemplateResult {
  if (!counts) return html``;
  const rows = (list: readonly (readonly [string, string])[]) =>
    list.map(([words, n]) => html`<tr><th scope="row">${words}</th><td>${n}</td></tr>`);
  const ofMap = [...MEANINGS, [Lane.None, "none", "nothing missing"] as const].map(
    ([lane, , words]) => [words, count(counts.counts[lane] ?? 0)] as const,
  );
  return html`
    <details class="numbers-of"><summary>Numbers of the pictures as tables</summary>
      ${
        mode === "activity"
          ? ""
          : html`<table class="numbers" id="numbers-of-map"><caption>Map: pages in view at ${counts.at} s</caption>
        <tbody>${rows(ofMap)}</tbody></table>`
      }
      ${
        summary?.level === "rounds"
          ? ""
          : html`<table class="numbers" id="numbers-of-strips"><caption>Strips: in the time in view</caption>
        <tbody>${rows(stripRows(counts.strips))}</tbody></table>`
      }
    </details>
  `;
}

function stripRows({ logOnNs, writes, sends, deepest, syncs }: StripNumbers) {
  const fates = WRITTEN.map(([fate, words]) => [`pages written, ${words}`, writes[fate]!] as const);
  const sent = sends.map((pages, kind) => [SENT[SEND_KINDS[kind]!], pages] as const);
  const all = [
    ...fates,
    ...sent.filter(([, pages]) => pages > 0),
    ["most requests in flight", deepest] as const,
    ["syncs", syncs] as const,
  ];
  return [
    ["dirty log on, s", (logOnNs / 1e9).toFixed(6)] as const,
    ...all.map(([words, n]) => [words, count(n)] as const),
  ];
}

/** What became of writes, in the order of severity: the colours of the strip. */
const WRITTEN: readonly [number, string][] = [
  [Lane.Stale, "missed: destination has old bytes at the end"],
  [Lane.Likely, "likely stale at the end"],
  [Lane.Possible, "possibly stale at the end"],
  [Lane.Healed, "missed, and covered at the end"],
  [Lane.Logged, "and logged"],
  [OUTSIDE, "while no log was on"],
];

const SENT: Readonly<Record<(typeof SEND_KINDS)[number], string>> = {
  data: "pages sent with data",
  zero: "pages sent as zeros",
  arrival: "pages that arrived at the destination",
  cpu: "pages that vCPUs dirtied",
};

export function inspector(store: Store, { life, summary, policy }: State): TemplateResult {
  if (!life || !summary) return html``;
  const { name } = summary.policies[policy]!;
  return html`
    <section aria-labelledby="page" class="inspector">
      <h2 id="page">Page 0x${(life.page * 4096).toString(16)} <small>gfn 0x${life.page.toString(16)}, under ${name}</small>
        <button type="button" class="close" aria-label="close" @click=${() => {
          store.inspect(null);
          store.draw();
        }}>×</button></h2>
      <p>At the end: <strong>${life.verdict}</strong>.
        <button type="button" @click=${() => lookAt(store, life.lane)}>show it on the map</button>
        ${
          summary.requests > 0
            ? html`<button type="button" @click=${() => store.filter({ page: life.page }, false)}>its requests</button>`
            : ""
        }</p>
      ${
        life.rows.length === 0
          ? html`<p class="hint">No single event of it is known${summary.level === "rounds" ? ": this history has rounds only" : ""}.</p>`
          : html`<div class="scroll tall"><table>
        <thead><tr><th>time, s</th><th></th><th>what</th><th>who</th><th>where</th></tr></thead>
        <tbody>${life.rows.map(
          ({ seconds, what, who, place, kind, state }) => html`
            <tr class=${kind}><td class="number">${seconds}</td>
              <td><span class="mark ${kind} state${state}"></span></td>
              <td>${what}</td><td>${who}</td><td class="place">${place}</td></tr>`,
        )}</tbody></table></div>`
      }
      ${life.more > 0 ? html`<p class="hint">and ${count(life.more)} more</p>` : ""}
    </section>
  `;
}

/** A page in the middle of a view in which single pages are told apart. */
function lookAt(store: Store, lane: number): void {
  const { view } = store.state;
  const tall = Math.min(32, view.last - view.first);
  store.look({ ...view, first: lane - tall / 2, last: lane + tall / 2 });
}

export function roundsTable({ summary, policy }: State): TemplateResult {
  const { rounds, moreRounds, policies } = summary!;
  if (rounds.length === 0) return html``;
  const sent = rounds.some((round) => round.sent !== null);
  return html`
    <section aria-labelledby="rounds"><h2 id="rounds">Rounds <small>from sync to sync, under ${policies[policy]!.name}</small></h2>
      <div class="scroll tall"><table class="numbers">
        <thead><tr><th>round</th><th>ended by sync</th><th>at, s</th><th>written</th><th>logged</th><th>left out</th>
          ${sent ? html`<th>sent</th>` : ""}</tr></thead>
        <tbody>${rounds.map(
          (
            round,
          ) => html`<tr><th scope="row">${round.index}</th><td>${round.sync}</td><td>${round.seconds}</td>
            <td>${count(round.written)}</td><td>${count(round.policies[policy]?.logged ?? null)}</td>
            <td class=${(round.policies[policy]?.lost ?? 0) > 0 ? "red" : ""}>${count(round.policies[policy]?.lost ?? null)}</td>
            ${sent ? html`<td>${round.sent === null ? "" : count(round.sent)}</td>` : ""}</tr>`,
        )}</tbody></table></div>
      ${moreRounds > 0 ? html`<p class="hint">and ${count(moreRounds)} more rounds, which count in all totals</p>` : ""}
    </section>
  `;
}

export function evidence({ summary, policy }: State): TemplateResult {
  const { findings, limits, inputs, policies } = summary!;
  const own = findings.find((finding) => finding.policy === policies[policy]!.name);
  return html`
    <section aria-labelledby="findings"><h2 id="findings">Findings <small>under ${policies[policy]!.name}</small></h2>
      ${own ? html`<pre>${own.lines.join("\n")}</pre>` : html`<p>Nothing was left out.</p>`}
    </section>
    <section aria-labelledby="limits"><h2 id="limits">What this recording cannot tell</h2>
      ${
        limits.length === 0
          ? html`<p>No limits are known.</p>`
          : html`<ul>${limits.map(({ text, effect }) => html`<li>${text}${effect === "" ? "" : html` <em>(${effect})</em>`}</li>`)}</ul>`
      }
    </section>
    <section aria-labelledby="inputs"><h2 id="inputs">Recordings</h2>
      <ul>${inputs.map(({ name, about }) => html`<li><b>${name}</b>: ${about}</li>`)}</ul>
    </section>
  `;
}
