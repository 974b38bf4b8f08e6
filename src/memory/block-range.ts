/** RAM of a block at a guest-physical address: a line of `info mtree -f`. */
export interface BlockRange {
  block: string;
  offset: number;
  gpa: number;
  size: number;
}
