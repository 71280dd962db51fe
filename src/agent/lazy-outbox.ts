import type { Outbox } from '../outbox/contract.ts'
import type { IdbHome } from '../outbox/idb/home.ts'
import { createFront } from '../outbox/resilient/front.ts'
import type { HardTimes, HardTimesDeps } from '../outbox/resilient/hard-times.ts'
import { Owners } from '../outbox/resilient/owner.ts'
import type { Later } from './later.ts'

export interface LazyOutboxDeps extends Pick<HardTimesDeps, 'onDegraded' | 'onRecovered'> {
  readonly home: IdbHome
  /** Fetches what makes the rest of the outbox. */
  readonly loader: Later<{
    createHardTimes(home: IdbHome, deps: Omit<HardTimesDeps, 'primary'>): HardTimes
  }>
}

/** All but append() and close(). */
type Verb = Exclude<keyof HardTimes['outbox'], 'durability' | 'close'>

const VERBS: readonly Verb[] = [
  'restore',
  'claim',
  'settle',
  'release',
  'purge',
  'dropOldest',
  'closeRollups',
  'openRollups',
  'totals',
  'streams',
  'deadLetters',
  'deleteDeadLetters',
  'retryDeadLetters',
  'quarantined',
  'deviceId',
]

/**
 * An outbox that stores from the first moment and fetches the rest of itself when it is asked for. Until then its other
 * calls wait for that, and reject with code 'not_loaded' when it cannot be had. What cannot be stored meanwhile waits for
 * it, too, and is held then.
 */
export function lazyOutbox({ home, loader, onDegraded, onRecovered }: LazyOutboxDeps): Outbox {
  const owners = new Owners()
  let hard: HardTimes | undefined

  const made = async (rest: ReturnType<typeof loader.now>): Promise<HardTimes> => {
    const { createHardTimes } = await rest
    hard ??= createHardTimes(home, { owners, onDegraded, onRecovered })
    return hard
  }
  const append = createFront({ primary: home, owners, known: () => hard, load: () => made(loader.get()) })
  const verbs = VERBS.map((verb) => {
    const call = async (...given: unknown[]) => {
      const { outbox } = hard ?? (await made(loader.now()))
      return (outbox[verb] as (...given: unknown[]) => Promise<unknown>)(...given)
    }
    return [verb, call]
  })
  return {
    ...(Object.fromEntries(verbs) as Pick<Outbox, Verb>),
    durability: 'process',
    append,
    close: () => (hard ? hard.outbox : home).close(),
  }
}
