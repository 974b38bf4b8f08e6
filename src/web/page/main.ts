/** The page: starts the worker, takes files, and draws what the store has. */
import { html, render } from "lit";
import type { Summary } from "../protocol.ts";
import {
  evidence,
  inspector,
  numberTables,
  policyMatrix,
  roundsTable,
  verdictStrip,
} from "./answers.ts";
import { comparisonSection } from "./comparison.ts";
import { addFiles, openForm } from "./open-form.ts";
import { Pictures } from "./pictures.ts";
import { Requests } from "./requests.ts";
import { type State, Store } from "./store.ts";

/** The text of a part that the page carries with it. */
function part(id: string): HTMLElement | null {
  return document.getElementById(id);
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  const binary = atob(base64.trim());
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

const code = new Blob([part("worker")!.textContent!], { type: "text/javascript" });
const worker = new Worker(URL.createObjectURL(code));
const root = part("app")!;
const store = new Store(worker, (state) => render(page(state), root));
const core = bytesOf(part("core")!.textContent!).buffer;
const [name = "vhost-replay", version = ""] = (part("tool")?.getAttribute("content") ?? "").split(
  " ",
);
store.send({ type: "start", core, tool: { name, version } }, [core]);
const pictures = new Pictures(store);
const requests = new Requests(store);

function page(state: State) {
  const { summary } = state;
  if (!summary || state.formOpen) {
    return html`<main>${state.phase === "busy" ? busy(state) : openForm(store, state)}</main>`;
  }
  return html`
    ${verdictStrip(summary)}
    <nav><button type="button" @click=${() => store.set({ formOpen: true, failure: null })}>open other files</button>
      <button type="button" @click=${() => pictures.print()}>print</button></nav>
    <main>
      ${pictures.template(state)}
      ${numberTables(state)}
      ${inspector(store, state)}
      ${policyMatrix(store, state)}
      ${requests.template(state)}
      ${roundsTable(state)}
      ${evidence(state)}
      ${comparisonSection(store, state)}
    </main>
    <footer>${summary.tool} · ${
      summary.level === "rounds"
        ? "rounds only: no single events are in this history"
        : "every event"
    } · nothing leaves this page</footer>
  `;
}

function busy({ busy: { words, share } }: State) {
  return html`<section class="open busy" role="status"><h2>Replaying</h2>
    <progress max="1" .value=${share ?? 0} ?hidden=${share === null}></progress><p>${words}</p></section>`;
}

/** How long the last pictures took the worker, milliseconds: for whoever measures. */
store.onDrawn = ({ millis, dark }) => {
  root.dataset.drawn = millis.toFixed(1);
  root.dataset.ground = dark ? "dark" : "light";
  if (!dark) pictures.drawn();
};

// ---------------------------------------------------------------- files

document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  const files = [...(event.dataTransfer?.files ?? [])];
  if (files.length > 0) addFiles(store, files);
});

// ---------------------------------------------------------------- keys

document.addEventListener("keydown", (event) => {
  const own = event.target as HTMLElement;
  if (event.key !== "/" || /^(?:INPUT|TEXTAREA|SELECT)$/.test(own.tagName)) return;
  event.preventDefault();
  part("address")?.focus();
});

// ---------------------------------------------------------------- the hash: a view, without addresses

/** Four shares of the recording, policy and mode: no address of the guest, no name. */
store.onSettled = () => {
  const { view, summary, policy, mode } = store.state;
  if (!summary) return;
  const { begin, end, lanes } = summary;
  const share = (at: number, from: number, to: number) => ((at - from) / (to - from)).toFixed(6);
  const parts = [
    share(view.from, begin, end),
    share(view.to, begin, end),
    share(view.first, 0, lanes),
    share(view.last, 0, lanes),
    policy,
    mode,
  ];
  history.replaceState(null, "", `#${parts.join(",")}`);
};

store.startView = ({ begin, end, lanes, policies, mode: own, view }: Summary): Partial<State> => {
  const [from, to, first, last, policy, mode] = location.hash.slice(1).split(",");
  const shares = [from, to, first, last].map(Number);
  const valid = last !== undefined && shares.every((at) => at >= 0 && at <= 1);
  if (!valid || shares[0]! >= shares[1]! || shares[2]! >= shares[3]!) return { view };
  const time = (at: number) => begin + at * (end - begin);
  return {
    view: {
      from: time(shares[0]!),
      to: time(shares[1]!),
      first: shares[2]! * lanes,
      last: shares[3]! * lanes,
    },
    policy: policies[Number(policy)] ? Number(policy) : 0,
    mode: mode === "activity" || mode === "states" ? mode : own,
  };
};

// ---------------------------------------------------------------- start

const inlined = part("history");
if (inlined) {
  store.set({ phase: "busy", formOpen: true, busy: { words: "reading", share: null } });
  const bytes = bytesOf(inlined.textContent!);
  inlined.textContent = "";
  const own = inlined.dataset.name ?? "history";
  store.send({ type: "history", name: own, bytes }, [bytes.buffer]);
} else store.set({});
