import type { Statements } from './statements.ts'

/** Tells the holders of leases apart, and the living from the dead. */
export interface LeaseHolders {
  /** This one's name. */
  readonly own: string
  /** Whether somebody who held a lease may still be at work. */
  isAlive(holder: string): boolean
}

/** Makes visible what is leased to the dead. What the relay put off has no holder, and stays. */
export function endDeadLeases(sql: Statements, holders: LeaseHolders | undefined): void {
  if (!holders) return
  const others = sql('SELECT DISTINCT owner FROM hidden WHERE owner IS NOT NULL AND owner <> ?').all(holders.own)
  for (const { owner } of others) {
    if (!holders.isAlive(String(owner))) sql('DELETE FROM hidden WHERE owner = ?').run(String(owner))
  }
}
