import type { AppendGroup, Durability, Outbox } from '../../src/outbox/contract.ts'
import { createMemoryOutbox } from '../../src/outbox/memory/open.ts'

/** A real outbox in memory whose appends can be watched, held up and made to fail. */
export interface OutboxDouble extends Outbox {
  readonly groups: AppendGroup[]
  /** Put in front of each append; throw to make it fail. */
  before: (group: AppendGroup) => void | Promise<void>
}

export function outboxDouble(durability: Durability = 'memory'): OutboxDouble {
  const real = createMemoryOutbox({ random: () => 'device-1' })
  const groups: AppendGroup[] = []
  const double: OutboxDouble = {
    ...real,
    durability,
    groups,
    before: () => {},
    async append(group) {
      groups.push(structuredClone(group))
      await double.before(group)
      await real.append(group)
      return group.strict ? 'power' : durability
    },
  }
  return double
}
