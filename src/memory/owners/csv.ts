/**
 * Comma-separated values as RFC 4180 has them: fields in double quotes may hold commas, line
 * breaks and doubled quotes. Also CR LF and LF line ends, and a byte order mark.
 */
import { atLine, RecordingError } from "../../model/place.ts";

/** One record and the line it begins on. */
export interface CsvRecord {
  fields: string[];
  line: number;
}

const LONGEST_RECORD = 1 << 16;

/** Takes text in pieces and hands over records. */
export class CsvReader {
  readonly #file: string;
  readonly #onRecord: (record: CsvRecord) => void;
  #fields: string[] = [];
  #field = "";
  #state: "start" | "plain" | "quoted" | "closed" = "start";
  #line = 1;
  #began = 1;
  #size = 0;
  #atBeginning = true;

  constructor(file: string, onRecord: (record: CsvRecord) => void) {
    this.#file = file;
    this.#onRecord = onRecord;
  }

  /** Throws RecordingError for a quote inside a plain field, text behind a quoted one, and records of more than 64 KiB. */
  push(text: string): void {
    let at = 0;
    if (this.#atBeginning && text.length > 0) {
      this.#atBeginning = false;
      if (text.charCodeAt(0) === 0xfeff) at = 1;
    }
    for (; at < text.length; at += 1) this.#take(text[at]!);
  }

  /** The end of the text. Throws RecordingError inside quotes. */
  end(): void {
    if (this.#state === "quoted") {
      throw this.#error('a closing " for the field', "the end of the file");
    }
    if (this.#state !== "start" || this.#fields.length > 0) this.#endRecord();
  }

  #take(character: string): void {
    this.#size += 1;
    if (this.#size > LONGEST_RECORD) {
      throw this.#error(`a record of at most ${LONGEST_RECORD} characters`, "a longer one");
    }
    if (this.#state === "quoted") {
      if (character === '"') this.#state = "closed";
      else this.#field += character;
      if (character === "\n") this.#line += 1;
    } else if (character === '"') this.#quote();
    else if (character === ",") this.#endField();
    else if (character === "\n") this.#endRecord();
    else if (character !== "\r") this.#plain(character);
  }

  #quote(): void {
    if (this.#state === "plain") throw this.#error('no " inside a field without quotes');
    // A quote behind a closing one stands for a quote in the field.
    if (this.#state === "closed") this.#field += '"';
    this.#state = "quoted";
  }

  #plain(character: string): void {
    if (this.#state === "closed") throw this.#error('a comma behind a closing "');
    this.#state = "plain";
    this.#field += character;
  }

  #endField(): void {
    this.#fields.push(this.#field);
    this.#field = "";
    this.#state = "start";
  }

  #endRecord(): void {
    const blank = this.#fields.length === 0 && this.#state === "start";
    const line = this.#began;
    this.#line += 1;
    this.#began = this.#line;
    this.#size = 0;
    if (blank) return;
    this.#endField();
    const fields = this.#fields;
    this.#fields = [];
    this.#onRecord({ fields, line });
  }

  #error(expected: string, found?: string): RecordingError {
    return new RecordingError({ file: this.#file, at: atLine(this.#began) }, expected, found);
  }
}
