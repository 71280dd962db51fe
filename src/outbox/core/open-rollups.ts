import type { OpenRollup } from '../contract.ts'
import { rollupDamage } from './sound-rows.ts'
import type { Tables } from './tables.ts'

/** See Outbox.openRollups. */
export async function openRollupsOf(tables: Tables): Promise<OpenRollup[]> {
  const rollups = await tables.rollups()
  return rollups
    .filter((each) => rollupDamage(each) === undefined)
    .map(({ stream, seq, closesAtMs }) => ({ stream, seq, closesAtMs }))
}
