import { expect } from 'vitest'
import type { ZuoraStandIn } from '../../../src/zuora-stand-in/contract.ts'
import type { MortalRelay } from './kill-again.ts'
import type { TirelessAgent } from './tireless-agent.ts'

/** Waits until nothing is on its way. */
export async function allForwarded(relay: Pick<MortalRelay, 'totals'>): Promise<Record<string, number>> {
  for (;;) {
    const totals = await relay.totals()
    const { received, forwarded: sent, deduplicated, dead } = totals as Record<string, number>
    if (received === (sent as number) + (deduplicated as number) + (dead as number)) return totals
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** Acknowledged = billed, each once; the agents stand account by account, each account's side by side. */
export function expectBilledOnce(
  zuora: ZuoraStandIn,
  agents: readonly TirelessAgent[],
  accounts: number,
  totals: Record<string, number>,
): void {
  const billed = zuora.ledger.totals('calls')
  const plain = agents.flatMap((agent) => agent.plain)
  expect(plain.filter((id) => !zuora.ledger.has('calls', id))).toEqual([])
  // Of an account's two events with one key exactly one is there.
  const perAccount = agents.length / accounts
  let keys = 0
  for (let account = 0; account < accounts; account++) {
    const devices = agents.slice(perAccount * account, perAccount * (account + 1))
    for (const key of new Set(devices.flatMap(({ keyed }) => [...keyed.keys()]))) {
      const ids = devices.flatMap(({ keyed }) => keyed.get(key) ?? [])
      expect(ids.filter((id) => zuora.ledger.has('calls', id))).toHaveLength(1)
      keys++
    }
  }
  expect(billed).toMatchObject({ billable: plain.length + keys, duplicates: 0, failedLater: 0, refused: 0 })
  const sent = agents.reduce((sum, agent) => sum + agent.plain.length + agent.keyed.size, 0)
  expect(totals).toMatchObject({
    ...{ recorded: sent, received: sent, missing: 0, rejected: 0, dead: 0 },
    ...{ forwarded: plain.length + keys, deduplicated: sent - plain.length - keys },
  })
  expect(totals.deduplicated).toBeGreaterThan(0)
}
