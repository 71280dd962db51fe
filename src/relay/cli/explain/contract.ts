/** What an operator or a front-end engineer needs to know of a code. */
export interface Explanation {
  /** What has happened, in one sentence. */
  readonly cause: string
  /** What to do about it. */
  readonly fix: string
}
