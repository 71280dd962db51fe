/** What `metertap init` knows the lines of. */
export const FRAMEWORKS = ['vanilla', 'react', 'node', 'worker', 'electron'] as const
export type Framework = (typeof FRAMEWORKS)[number]

/** A file that init writes where there is none. */
export interface Draft {
  readonly name: string
  readonly text: string
  /** What it is, for whoever ran init. */
  readonly about: string
  /** Readable by its owner only. */
  readonly isSecret?: boolean
}
