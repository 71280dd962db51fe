/** One HTTP request as a usage event, as in a web server's log. */
export interface UsageLine {
  readonly at: string
  readonly visitor: string
  readonly method: string
  readonly path: string
  readonly status: number
  readonly bytes: number
  readonly browser: string
}

/** A small pseudo-random generator (mulberry32): the same seed gives the same lines everywhere. */
export function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const PAGES = [
  '/',
  '/blog/',
  '/images/logo.png',
  '/style2.css',
  '/reset.css',
  '/favicon.ico',
  '/projects/xdotool/',
  '/robots.txt',
]
const BROWSERS = ['chrome', 'firefox', 'safari', 'bot', 'other']

/** Made-up requests with the shape and the repetitiveness of real ones. */
export function makeUsageLines(count: number, seed = 1): UsageLine[] {
  const random = randomFrom(seed)
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() ** 2 * list.length)] as T
  let atMs = Date.UTC(2015, 4, 17, 10, 5)
  return Array.from({ length: count }, () => {
    atMs += Math.floor(random() * 60) * 1_000
    const page = pick(PAGES)
    return {
      at: new Date(atMs).toISOString(),
      visitor: Math.floor(random() ** 3 * 2_000)
        .toString(16)
        .padStart(12, '7f'),
      method: random() < 0.98 ? 'GET' : 'POST',
      path: random() < 0.5 ? page : `${page}article-${Math.floor(random() * 400)}`,
      status: random() < 0.92 ? 200 : pick([304, 404, 301, 500]),
      bytes: Math.floor(random() ** 4 * 500_000),
      browser: pick(BROWSERS),
    }
  })
}
