import { MetertapError } from '../../wire/errors.ts'
import type { AppendGroup, Durability, Outbox } from '../contract.ts'
import { checkGroup } from '../core/check-group.ts'
import type { HardTimes } from './hard-times.ts'
import type { Owners } from './owner.ts'

export interface FrontDeps {
  readonly primary: Pick<Outbox, 'append'>
  readonly owners: Owners
  /** What holds groups that cannot be stored, if it is there yet. */
  readonly known: () => Pick<HardTimes, 'isOn' | 'hold'> | undefined
  /** Fetches it when it is not. */
  readonly load: () => Promise<Pick<HardTimes, 'hold'>>
}

/** These do not pass by waiting. */
const FINAL = new Set(['closed', 'internal'])

/** A resilient outbox's way in: straight to the primary, and to what holds groups as soon as one cannot be stored. */
export function createFront({ primary, owners, known, load }: FrontDeps): Outbox['append'] {
  return async function append(group: AppendGroup): Promise<Durability> {
    const owner = owners.of(group.head)
    checkGroup(group, owner.stream.newest)
    owner.stream.note(group)
    const hard = known()
    if (hard?.isOn) return hard.hold(group)
    try {
      const durability = await primary.append({ ...group, head: owner.complete(group.head) })
      owner.stored(group)
      return durability
    } catch (error) {
      if (error instanceof MetertapError && FINAL.has(error.code)) throw error
      return (known() ?? (await load())).hold(group, error)
    }
  }
}
