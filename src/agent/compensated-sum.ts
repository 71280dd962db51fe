/**
 * Adds up floating-point numbers without letting rounding errors pile up: ten times 0.1 is 1
 * (Neumaier's variant of Kahan's summation).
 */
export class CompensatedSum {
  #sum: number
  #lost: number

  constructor(start: number, lost: number = 0) {
    this.#sum = start
    this.#lost = lost
  }

  get value(): number {
    return this.#sum + this.#lost
  }

  /** A new sum; this one stays as it is. */
  plus(amount: number): CompensatedSum {
    const next = this.#sum + amount
    const isLarger = Math.abs(this.#sum) >= Math.abs(amount)
    const lost = isLarger ? this.#sum - next + amount : amount - next + this.#sum
    return new CompensatedSum(next, this.#lost + lost)
  }
}
