/** A clean stream is forgotten this long after its last event was settled. */
export const RETIRE_AFTER_MS: number = 7 * 24 * 60 * 60 * 1000
