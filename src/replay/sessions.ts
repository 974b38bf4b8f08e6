/**
 * SPDK's messages name a device by its number (vid), its completions by the session's address. Which is
 * which is told by the order: a session begins to work after the messages that set it up.
 */
import { EVENT_DEV, EVENT_FEAT } from "../../assembly/event-abi.ts";
import type { Core } from "../core/core.ts";
import { PROTOCOL_FEATURES } from "../vhost/message.ts";

/** Addresses that no process has: a device that messages name is one of them. */
const FIRST = 0xfffe_0000_0000_0000n;
const STEP = 0x10000n;
const MAX_SESSIONS = 4096;

/** Whether a device is one that messages name. */
export function isSession(vs: bigint): boolean {
  return vs >= FIRST && vs < FIRST + STEP * BigInt(MAX_SESSIONS);
}

interface Told {
  vs: bigint;
  /** As the last SET_FEATURES says, without the protocol's bit; null: none was seen. */
  features: bigint | null;
  /** The session that was linked last. */
  session: bigint | null;
}

/** The devices of messages, and the sessions that work for them. */
export class Sessions {
  readonly #core: Core;
  readonly #told = new Map<number, Told>();
  readonly #bySession = new Map<bigint, Told | null>();
  /** Sessions whose messages are not known: none were recorded, or several devices fit. */
  unlinked = 0;

  constructor(core: Core) {
    this.#core = core;
  }

  /** The device of this number. */
  device(vid: number): bigint {
    return this.#of(vid).vs;
  }

  /** Features of a device, for telling it from others. */
  features(vs: bigint, features: bigint): void {
    for (const told of this.#told.values()) {
      if (told.vs === vs) told.features = features & ~PROTOCOL_FEATURES;
    }
  }

  #of(vid: number): Told {
    let told = this.#told.get(vid);
    if (!told) {
      const number = BigInt(Math.min(this.#told.size, MAX_SESSIONS - 1));
      told = { vs: FIRST + number * STEP, features: null, session: null };
      if (this.#told.size < MAX_SESSIONS) this.#told.set(vid, told);
    }
    return told;
  }

  /** A queue of a session was met: the device whose messages set it up; null: not known. */
  meet(at: number): bigint | null {
    const view = this.#core.view;
    const session = view.getBigUint64(at + EVENT_DEV, true);
    const features = view.getBigUint64(at + EVENT_FEAT, true) & ~PROTOCOL_FEATURES;
    let told = this.#bySession.get(session);
    if (told === undefined) {
      const all = [...this.#told.values()].filter((one) => one.features === features);
      // A device that has no session yet, else the only one: it was started again.
      const free = all.filter((one) => one.session === null);
      const fitting = free.length > 0 ? free : all;
      told = fitting.length === 1 ? fitting[0]! : null;
      if (told) told.session = session;
      else this.unlinked++;
      if (this.#bySession.size < MAX_SESSIONS) this.#bySession.set(session, told);
    }
    return told?.vs ?? null;
  }
}
