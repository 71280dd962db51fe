import type { Outbox } from '../outbox/contract.ts'
import type { IdbHome } from '../outbox/idb/home.ts'
import type { IdbMain, MainVerb, SetAside } from '../outbox/idb/main-verbs.ts'
import { createFront } from '../outbox/resilient/front.ts'
import type { HardTimes, HardTimesDeps } from '../outbox/resilient/hard-times.ts'
import { Owners } from '../outbox/resilient/owner.ts'
import type { Later } from './later.ts'

export interface LazyOutboxDeps extends Pick<HardTimesDeps, 'onDegraded' | 'onRecovered'> {
  readonly home: IdbHome
  /** Fetches what sending asks of the outbox. */
  readonly loader: Later<{ idbMain(home: IdbHome, setAside: SetAside): IdbMain }>
  /** Fetches what is asked of it at times only, and what holds groups that cannot be stored. */
  readonly rest: Later<{
    otherVerbs(main: IdbMain): Omit<Outbox, MainVerb>
    readonly setAside: SetAside
    hardTimes(deps: HardTimesDeps): HardTimes
  }>
}

type Late = Exclude<keyof HardTimes['outbox'], 'durability' | 'close'>

const LATE =
  'claim settle release totals openRollups deviceId restore purge dropOldest closeRollups streams deadLetters deleteDeadLetters retryDeadLetters quarantined'

/**
 * An outbox that stores from the first moment and fetches the rest of itself when it is asked for. Until then its other
 * calls wait for that, and reject with code 'not_loaded' when it cannot be had. What cannot be stored meanwhile waits for
 * it, too, and is held then.
 */
export function lazyOutbox({ home, loader, rest, onDegraded, onRecovered }: LazyOutboxDeps): Outbox {
  const owners = new Owners()
  let main: IdbMain | undefined
  let whole: Outbox | undefined
  let hard: HardTimes | undefined

  const setAside: SetAside = async (...given) => (await rest.now().catch(() => undefined))?.setAside(...given) ?? false
  const mainOf = async (how: 'now' | 'get'): Promise<IdbMain> => {
    const code = await loader[how]()
    main ??= code.idbMain(home, setAside)
    return main
  }
  const wholeOf = async (how: 'now' | 'get'): Promise<Outbox> => {
    const { verbs } = await mainOf(how)
    const { otherVerbs } = await rest[how]()
    whole ??= { ...verbs, ...otherVerbs(main as IdbMain) }
    return whole
  }
  const made = async (): Promise<HardTimes> => {
    const primary = await wholeOf('get')
    const { hardTimes } = await rest.get()
    hard ??= hardTimes({ primary, owners, onDegraded, onRecovered })
    return hard
  }
  const append = createFront({ primary: home, owners, known: () => hard, load: made })

  /** As soon as something is held, every call has to know of it. */
  const late = async (verb: Late, given: readonly unknown[]): Promise<unknown> => {
    let outbox: Partial<Outbox> | undefined = hard?.outbox
    if (!outbox) {
      const { verbs } = await mainOf('now')
      const direct = verb in verbs ? verbs : await wholeOf('now')
      outbox = hard?.outbox ?? direct
    }
    return (outbox[verb] as (...given: readonly unknown[]) => unknown)(...given)
  }
  const calls = (LATE.split(' ') as Late[]).map((verb) => [verb, (...given: unknown[]) => late(verb, given)])
  return {
    ...(Object.fromEntries(calls) as Pick<Outbox, Late>),
    durability: 'process',
    append,
    putAside: (group) => hard?.putAside(group),
    close: () => (hard ? hard.outbox : home).close(),
  }
}
