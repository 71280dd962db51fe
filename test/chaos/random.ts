/** Numbers that look random and are the same for the same seed. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number
  /** A whole number from `from` to `to`, both included. */
  whole(from: number, to: number): number
  pick<T>(list: readonly T[]): T
  /** A generator of its own for a part that must not disturb the others. */
  fork(name: string): Random
}

const UINT32 = 2 ** 32

/** SplitMix32: small, fast, and good enough to choose whom to strike (https://arxiv.org/abs/1410.0530 describes the 64-bit one). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0
    let mixed = state ^ (state >>> 16)
    mixed = Math.imul(mixed, 0x21f0aaad)
    mixed ^= mixed >>> 15
    mixed = Math.imul(mixed, 0x735a2d97)
    mixed ^= mixed >>> 15
    return (mixed >>> 0) / UINT32
  }
  const whole = (from: number, to: number): number => from + Math.floor(next() * (to - from + 1))
  return {
    next,
    whole,
    pick: <T>(list: readonly T[]): T => {
      if (list.length === 0) throw new RangeError('There is nothing to pick from.')
      return list[whole(0, list.length - 1)] as T
    },
    fork: (name) => seededRandom(hash(name, seed)),
  }
}

function hash(text: string, seed: number): number {
  let sum = seed >>> 0
  for (const char of text) sum = (Math.imul(sum ^ (char.codePointAt(0) ?? 0), 0x01000193) + 0x9e37) >>> 0
  return sum
}
