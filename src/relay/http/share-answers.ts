/** What came of a question: `error` undefined when all is well. */
export interface SharedAnswer {
  readonly error: unknown
  /** True for the one caller whose question it was. */
  readonly isNew: boolean
}

interface ShareOptions {
  readonly clock: () => number
  /** How long an answer is good, from when it was asked for. */
  readonly forMs: number
  /** Whether a caller may wait for another's question; else it asks by itself as long as there is no answer. */
  readonly waits: boolean
}

interface Answer {
  readonly error: unknown
  readonly askedAtMs: number
}

/** Asks for many: one question at a time, whose answer, be it yes or no, is everybody's for a moment. */
export function shareAnswers(
  ask: () => Promise<unknown>,
  { clock, forMs, waits }: ShareOptions,
): () => Promise<SharedAnswer> {
  let known: Answer | undefined
  let underWay: Promise<Answer> | undefined

  async function question(askedAtMs: number): Promise<Answer> {
    const error = await ask().then(
      () => undefined,
      (failure: unknown) => failure ?? new Error('unknown'),
    )
    underWay = undefined
    known = { error, askedAtMs }
    return known
  }

  return async () => {
    if (known && Math.abs(clock() - known.askedAtMs) < forMs) return { error: known.error, isNew: false }
    if (underWay && waits) return { error: (await underWay).error, isNew: false }
    underWay = question(clock())
    return { error: (await underWay).error, isNew: true }
  }
}
