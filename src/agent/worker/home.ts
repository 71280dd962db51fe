import type { Runtime } from '../../runtime/contract.ts'
import { backoffMs } from '../../schedule/backoff.ts'
import type { OutboxNamespace } from './bindings.ts'
import type { OutboxObject, Reply } from './protocol.ts'

export interface HomeOptions {
  readonly namespace: OutboxNamespace
  /** Name of the object. */
  readonly name: string
  readonly runtime: Runtime
}

const ATTEMPTS = 4
/** No other try begins later than this: the request has more to do, and lives for 30 s after its response. */
const PATIENCE_MS = 8_000
const BACKOFF = { baseMs: 100, capMs: 1_000 }
/** An object that does not answer for so long will be asked again, ms. */
const ANSWER_MS = 6_000

/** The Durable Object that keeps an account's events, asked again when a call is lost on the way. */
export class Home {
  readonly #options: HomeOptions

  constructor(options: HomeOptions) {
    this.#options = options
  }

  /** Calls may be repeated: each must have the same effect once or twice. Rejects when no call has come through. */
  async call<T>(work: (object: OutboxObject) => Promise<Reply<T>>): Promise<Reply<T>> {
    const { runtime } = this.#options
    const untilMs = runtime.monotonic() + PATIENCE_MS
    for (let failures = 0; ; failures++) {
      try {
        return await this.#inTime(work(this.#stub()))
      } catch (error) {
        // Asking an overloaded object again makes it worse.
        if (
          failures + 1 >= ATTEMPTS ||
          runtime.monotonic() > untilMs ||
          (error as { overloaded?: boolean })?.overloaded
        )
          throw error
      }
      await this.#sleep(backoffMs({ ...BACKOFF, random: runtime.random }, failures))
    }
  }

  /** A new one each time: a stub whose call failed may be broken for good. */
  #stub(): OutboxObject {
    const { namespace, name } = this.#options
    return namespace.get(namespace.idFromName(name) as never) as OutboxObject
  }

  async #inTime<T>(answer: Promise<T>): Promise<T> {
    let stop = () => {}
    const late = new Promise<never>((_, reject) => {
      const giveUp = () => reject(new DOMException('The object did not answer.', 'TimeoutError'))
      stop = this.#options.runtime.setTimer(giveUp, ANSWER_MS)
    })
    try {
      return await Promise.race([answer, late])
    } finally {
      stop()
    }
  }

  #sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.#options.runtime.setTimer(resolve, delayMs))
  }
}

/** The object that keeps a stream of an account: an account's streams go to `spread` neighbouring ones of `shards`. */
export function objectName(
  account: string,
  stream: string,
  { shards, spread }: { shards: number; spread: number },
): string {
  return nameOf((hashOf(account) + (hashOf(stream) % spread)) % shards)
}

/** All objects that may keep events of the account. */
export function objectNames(account: string, { shards, spread }: { shards: number; spread: number }): string[] {
  return Array.from({ length: spread }, (_, index) => nameOf((hashOf(account) + index) % shards))
}

function nameOf(shard: number): string {
  return `metertap-${shard}`
}

/** FNV-1a, 32 bits: the same everywhere and for ever, since an account's events must be found again. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return hash
}
