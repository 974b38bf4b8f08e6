/** JSON as it is printed. */

/** What JSON leaves as it is and a terminal does not show as it is: `printable` of report/text. */
const UNSEEN = /[\x7f-\x9f\p{Cf}\p{Zl}\p{Zp}]/gu;

/**
 * `value` as JSON in which what drives a terminal, turns the direction of text or cannot be seen is written as
 * escapes: it means the same.
 */
export function jsonText(value: unknown, indent = 0): string {
  return JSON.stringify(value, null, indent).replaceAll(UNSEEN, (character) => {
    let escaped = "";
    for (let i = 0; i < character.length; i++) {
      escaped += `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`;
    }
    return escaped;
  });
}
