import type { Revocation, RevocationSubject } from '../store/contract.ts'
import type { KeysFace } from './contract.ts'

/** All revocations, read again every few seconds: one question of an isolate, not one of each request. */
export interface RevocationCache {
  before(subject: RevocationSubject): Promise<number>
  list(): Promise<Revocation[]>
  /** The next look is a fresh one. */
  forget(): void
}

/** So long may a revocation be unknown to an isolate. */
const FRESH_MS = 5_000
const NEVER_READ = -1

export function createRevocationCache(keys: Pick<KeysFace, 'revocations'>, clock: () => number): RevocationCache {
  let version = NEVER_READ
  let list: readonly Revocation[] = []
  let times = new Map<string, number>()
  let readAtMs = Number.NEGATIVE_INFINITY
  let reading: Promise<void> | undefined

  async function read(): Promise<void> {
    const begunMs = clock()
    const news = await keys.revocations(version)
    if (news !== undefined) {
      ;({ version, list } = news)
      times = new Map(list.map((revocation) => [keyOf(revocation), revocation.beforeMs]))
    }
    readAtMs = begunMs
  }

  async function freshen(): Promise<void> {
    if (Math.abs(clock() - readAtMs) < FRESH_MS) return
    reading ??= read().finally(() => {
      reading = undefined
    })
    await reading
  }

  return {
    async before({ device, ...account }) {
      await freshen()
      const ofAccount = times.get(keyOf(account)) ?? 0
      return device === undefined ? ofAccount : Math.max(ofAccount, times.get(keyOf({ ...account, device })) ?? 0)
    },
    async list() {
      await freshen()
      return [...list]
    },
    forget() {
      readAtMs = Number.NEGATIVE_INFINITY
    },
  }
}

function keyOf({ tenant, account, device }: RevocationSubject): string {
  return JSON.stringify([tenant, account, device])
}
