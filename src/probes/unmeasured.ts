/** What a program lacks, in words: its probes cannot be placed. */
export class Unmeasured extends Error {}
