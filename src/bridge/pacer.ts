export interface PacerOptions {
  /** A clock that is never set back, ms. */
  readonly monotonic: () => number
  readonly perSecond: number
  /** How many may come at once. Default: those of two seconds. */
  readonly burst?: number
}

/** A bucket of tokens that may be overdrawn: says how long to wait until it is not any more. */
export class Pacer {
  readonly #options: PacerOptions
  #tokens: number
  #asOfMs: number

  constructor(options: PacerOptions) {
    this.#options = options
    this.#tokens = this.#burst
    this.#asOfMs = options.monotonic()
  }

  /** Takes one if there is one. */
  tryTake(): boolean {
    this.#refill()
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }

  /** Takes so many, and gives the ms to wait before going on; 0 within the rate. */
  take(amount: number): number {
    this.#refill()
    this.#tokens -= amount
    return this.#tokens >= 0 ? 0 : Math.ceil((-this.#tokens * 1_000) / this.#options.perSecond)
  }

  get #burst(): number {
    const { perSecond, burst = perSecond * 2 } = this.#options
    return burst
  }

  #refill(): void {
    const { monotonic, perSecond } = this.#options
    const nowMs = monotonic()
    this.#tokens = Math.min(this.#burst, this.#tokens + ((nowMs - this.#asOfMs) * perSecond) / 1_000)
    this.#asOfMs = nowMs
  }
}
