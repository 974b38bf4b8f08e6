/** A small program in ELF: functions in .dynsym, their code in one segment at address and offset 0x1000. */

const BASE = 0x1000;
const HEADER = 64;
const SECTION = 64;
const SYMBOL = 24;

/** A section beside those of every program. `type`, `flags`: as in its header (gABI). */
export interface ExtraSection {
  name: string;
  content: Uint8Array;
  type?: number;
  flags?: bigint;
}

/** Functions lie one behind the other; one without a name has no symbol. */
export function makeElf(
  functions: { name: string; code: number[] }[],
  extra: readonly ExtraSection[] = [],
): Uint8Array {
  const names = ["", ...functions.map(({ name }) => name).filter((name) => name !== "")];
  const dynstr = new TextEncoder().encode(names.map((name) => `${name}\0`).join(""));
  const nameAt = (name: string): number => new TextDecoder().decode(dynstr).indexOf(`${name}\0`);
  const text = Uint8Array.from(functions.flatMap(({ code }) => code));
  const dynsym = new Uint8Array(SYMBOL * names.length);
  const symbols = new DataView(dynsym.buffer);
  let address = BASE;
  let at = SYMBOL;
  for (const { name, code } of functions) {
    if (name !== "") {
      symbols.setUint32(at, nameAt(name), true);
      symbols.setUint8(at + 4, 0x12);
      symbols.setBigUint64(at + 8, BigInt(address), true);
      symbols.setBigUint64(at + 16, BigInt(code.length), true);
      at += SYMBOL;
    }
    address += code.length;
  }
  const own = "\0.dynsym\0.dynstr\0.text\0.shstrtab\0";
  const labelText = own + extra.map(({ name }) => `${name}\0`).join("");
  const shstrtab = new TextEncoder().encode(labelText);
  const contents = [
    ...[new Uint8Array(), dynsym, dynstr, text, shstrtab],
    ...extra.map(({ content }) => content),
  ];
  const labels = [0, 1, 9, 17, 23, ...extra.map(({ name }) => labelText.indexOf(`${name}\0`))];
  const bytes = new Uint8Array(BASE + contents.reduce((sum, { length }) => sum + length, 0) + 4096);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, 3, true);
  view.setUint16(18, 62, true);
  view.setBigUint64(32, BigInt(HEADER), true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 1, true);
  view.setUint32(HEADER, 1, true);
  view.setBigUint64(HEADER + 8, BigInt(BASE), true);
  view.setBigUint64(HEADER + 16, BigInt(BASE), true);
  view.setBigUint64(HEADER + 32, BigInt(text.length), true);
  let free = BASE + text.length;
  const table = free + contents.reduce((sum, { length }) => sum + length, 0);
  contents.forEach((content, i) => {
    const offset = i === 3 ? BASE : free;
    bytes.set(content, offset);
    if (i !== 3) free += content.length;
    const header = table + i * SECTION;
    view.setUint32(header, labels[i]!, true);
    view.setUint32(header + 4, extra[i - 5]?.type ?? 1, true);
    view.setBigUint64(header + 8, extra[i - 5]?.flags ?? 0n, true);
    view.setBigUint64(header + 24, BigInt(offset), true);
    view.setBigUint64(header + 32, BigInt(content.length), true);
  });
  view.setBigUint64(40, BigInt(table), true);
  view.setUint16(58, SECTION, true);
  view.setUint16(60, contents.length, true);
  view.setUint16(62, 4, true);
  return bytes;
}
