import type { Outbox } from '../contract.ts'
import type { IdbHome } from './home.ts'
import { idbMain } from './main-verbs.ts'
import { otherVerbs, setAside } from './other-verbs.ts'

/** The whole outbox over an open database. */
export function idbOutbox(home: IdbHome): Outbox {
  const main = idbMain(home, setAside)
  return { ...main.verbs, ...otherVerbs(main) }
}
