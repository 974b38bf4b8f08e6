/** Who owns a guest page, as a report asks for it. `--owners` makes one of these. */
export interface Owners {
  of(gfn: number): { owner: string; kind: string } | null;
}
