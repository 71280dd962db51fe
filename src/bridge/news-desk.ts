import type { SenderNews } from '../outbox/contract.ts'

/** Who does not listen misses the older ones: they are in deadLetters(). */
const MAX_DEAD = 100

/** Keeps what happened until the page asks, and the page's question until something happens. */
export class NewsDesk {
  #news: SenderNews | undefined
  #answer: ((news: SenderNews) => void) | undefined

  add({ received = 0, dead = [], trouble }: Partial<SenderNews>): void {
    const known = this.#news ?? NOTHING
    this.#news = {
      received: known.received + received,
      dead: [...known.dead, ...dead].slice(-MAX_DEAD),
      trouble: trouble ?? known.trouble,
    }
    if (this.#answer) this.release()
  }

  /** An earlier question is answered with nothing. */
  next(): Promise<SenderNews> {
    this.#answer?.(NOTHING)
    return new Promise((resolve) => {
      this.#answer = resolve
      if (this.#news) this.release()
    })
  }

  /** Answers whoever asked, with what there is. */
  release(): void {
    const answer = this.#answer
    if (!answer) return
    this.#answer = undefined
    answer(this.#news ?? NOTHING)
    this.#news = undefined
  }
}

const NOTHING: SenderNews = { received: 0, dead: [] }
