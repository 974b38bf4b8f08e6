/** QEMU's events in a decode plan of the core: by name (log, markers) or by number (simpletrace). */

import { MAX_NAMES } from "../../assembly/decode-abi.ts";
import { EventKind } from "../../assembly/event-abi.ts";
import type { Core } from "../core/core.ts";
import { OutOfMemory } from "../core/core.ts";
import type { InputSummary } from "../model/result.ts";
import type { QemuEvent } from "../qemu/event-row.ts";
import { QEMU_EVENTS, QEMU_UNUSED, qemuEvent } from "../qemu/events.ts";
import { CONVERSIONS, piecesOf } from "../qemu/pattern.ts";

/** The formats of an event, newest first. */
export const textsOf = (event: QemuEvent): string[] => event.formats.map(({ text }) => text);

/** Events as they are met in one input. */
export class QemuPlan {
  readonly plan: number;
  readonly #core: Core;
  readonly #numbered: boolean;
  readonly #events: { name: string; event: QemuEvent | undefined; at: number }[] = [];

  #muted: ReadonlySet<string> = new Set();
  readonly #seen = new Map<string, number>();

  /** `numbered`: by the numbers of a simpletrace; otherwise by name, with all known ones in it. */
  constructor(core: Core, numbered: boolean) {
    this.#core = core;
    this.#numbered = numbered;
    this.plan = core.exports.newPlan(numbered);
    if (this.plan === 0) throw new OutOfMemory();
    if (numbered) return;
    for (const event of QEMU_EVENTS) this.add(event.name, 0, textsOf(event));
    for (const name of QEMU_UNUSED) this.add(name, 0, []);
  }

  /** Adds an event; `formats` are tried in order. One that is not understood is only counted. */
  add(name: string, id: number, formats: readonly string[]): void {
    const { exports } = this.#core;
    const event = qemuEvent(name);
    const bytes = Uint8Array.from(name, (c) => c.charCodeAt(0));
    // Events by number have no name in the core.
    const text = this.#numbered ? 0 : this.#core.put(bytes);
    const kind = this.#muted.has(name) ? EventKind.Other : (event?.kind ?? EventKind.Other);
    const at = exports.addEvent(this.plan, text, bytes.length, id, kind, 0);
    if (at === 0) throw new OutOfMemory();
    this.#events.push({ name, event, at });
    if (event) for (const format of formats) this.#addPattern(at, event, format);
  }

  #addPattern(at: number, event: QemuEvent, format: string): void {
    const { exports } = this.#core;
    const pieces = piecesOf(format);
    const pattern = exports.addPattern(at, pieces.length);
    if (pattern === 0) throw new OutOfMemory();
    pieces.forEach((piece, i) => {
      const text = this.#core.put(Uint8Array.from(piece.text, (c) => c.charCodeAt(0)));
      const conversion = piece.conversion === null ? 0 : CONVERSIONS[piece.conversion];
      const slot = piece.name === null ? -1 : event.slots.indexOf(piece.name);
      exports.setPiece(pattern, i, text, piece.text.length, conversion, slot);
    });
  }

  /** A marker of QEMU's ftrace backend whose event is not in the list: from now on it is counted. */
  learn(text: string): void {
    const name = /^[a-z][a-z0-9]*_[a-z0-9_]{1,100}(?= |$)/.exec(text)?.[0];
    if (name === undefined || this.#events.length >= MAX_NAMES || !this.#sawQemu()) return;
    if (!this.#events.some((entry) => entry.name === name)) this.add(name, 0, []);
    // It went to the host as a marker, as did others that were decoded before the name was known.
    this.#seen.set(name, (this.#seen.get(name) ?? 0) + 1);
  }

  /** Whether any event of QEMU was met: without one, a marker is somebody else's. */
  #sawQemu(): boolean {
    return this.#events.some(({ at }) => this.#core.exports.eventCount(at) > 0);
  }

  /** How many markers were events of QEMU. */
  total(): number {
    return this.counts().reduce((sum, { count }) => sum + count, 0);
  }

  /** These events, now or when they are met, are only counted. */
  mute(names: ReadonlySet<string>): void {
    this.#muted = names;
    for (const { name, at } of this.#events) if (names.has(name)) this.#core.exports.mute(at);
  }

  /** A format of this event, for an error message. */
  example(name: string): string {
    return (qemuEvent(name)?.formats[0]?.text ?? "").replace(/\{(\w+):\w\}/g, "<$1>");
  }

  /** How often each event was met; understood ones also when they were not. */
  counts(): InputSummary["events"] {
    return this.#events
      .map(({ name, event, at }) => ({
        name,
        kind: event ? event.name : null,
        count: this.#core.exports.eventCount(at) + (this.#seen.get(name) ?? 0),
      }))
      .filter((entry) => entry.count > 0);
  }
}
