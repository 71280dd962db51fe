const NUMBER_TEXT = /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]\d+))?$/

/** Adds numbers without rounding: each counts as the shortest decimal that reads back as the same double. */
export class DecimalSum {
  /** The sum so far is #units / 10^#scale + #whole. */
  #units = 0n
  #scale = 0
  /** Whole numbers gather here while they stay exact: BigInt for each row would be slow. */
  #whole = 0

  /** Throws RangeError for NaN and the infinities. */
  add(value: number): void {
    const whole = this.#whole + value
    if (Number.isSafeInteger(value) && Number.isSafeInteger(whole)) this.#whole = whole
    else this.#addText(String(value))
  }

  /** Such as '12', '-0.3'. */
  toString(): string {
    const units = this.#units + BigInt(this.#whole) * 10n ** BigInt(this.#scale)
    const digits = (units < 0n ? -units : units).toString().padStart(this.#scale + 1, '0')
    const cut = digits.length - this.#scale
    const fraction = digits.slice(cut).replace(/0+$/, '')
    return (units < 0n ? '-' : '') + digits.slice(0, cut) + (fraction ? `.${fraction}` : '')
  }

  #addText(text: string): void {
    const match = NUMBER_TEXT.exec(text)
    if (!match) throw new RangeError(`Cannot add ${text}: only finite numbers have a sum.`)
    const [, sign = '', whole = '', fraction = '', exponent = '0'] = match
    const scale = fraction.length - Number(exponent)
    const units = BigInt(sign + whole + fraction)
    const common = Math.max(this.#scale, scale, 0)
    this.#units = this.#units * 10n ** BigInt(common - this.#scale) + units * 10n ** BigInt(common - scale)
    this.#scale = common
  }
}
