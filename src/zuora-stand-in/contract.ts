/** What the stand-in for Zuora Mediation takes and gives. It is a test double: it bills nobody and forgets all at close(). */

import type { ErrorShape, Fault, FaultSwitch } from './contract/faults.ts'
import type { Ledger } from './contract/ledger.ts'
import type { Client, Environment, Limits, MeterOptions } from './contract/tenant.ts'

export type * from './contract/faults.ts'
export type * from './contract/ledger.ts'
export type * from './contract/tenant.ts'

export interface ZuoraStandInOptions {
  /** Default 0: any free port. */
  readonly port?: number
  /** Default 127.0.0.1. */
  readonly host?: string
  readonly clients: readonly Client[]
  readonly meters: readonly MeterOptions[]
  /** Default 'production'. */
  readonly environment?: Environment
  /** Replaces single figures of the environment's limits. */
  readonly limits?: Partial<Limits>
  /** Default 3,599. */
  readonly tokenLifeS?: number
  /** What a 400 does with the valid rows beside the bad ones: 'partial' stores them. Default 'all-or-nothing'. */
  readonly partial?: 'all-or-nothing' | 'partial'
  /** Multi-entity: the entities of the tenant. Absent: Zuora-Entity-Ids is refused. Two or more: it is required. */
  readonly entityIds?: readonly string[]
  /** Multi-Org: the orgs of the user. Absent: Zuora-Org-Ids is refused. */
  readonly orgIds?: readonly string[]
  /** Shape of error bodies. Default 'rotate': each error takes the next one (never 'empty'). */
  readonly errorBodies?: ErrorShape | 'rotate'
  /** Rules in force from the start. */
  readonly faults?: readonly Fault[]
  /** Seed of everything random in the faults. Default 1. */
  readonly seed?: number
  /** Keep billable rows for events(). Default true; they stay compressed as they came. */
  readonly keepRows?: boolean
  /** Default 1,000. */
  readonly keepCalls?: number
  /** Default 10,000. */
  readonly keepAudit?: number
  /** Wall clock, ms. Default Date.now. */
  readonly now?: () => number
}

export interface ZuoraStandIn {
  /** Such as http://127.0.0.1:41234: the restBase of its clients. */
  readonly url: string
  readonly faults: FaultSwitch
  readonly ledger: Ledger
  /** Ends every token, as a changed secret does. */
  revokeTokens(): void
  /** Cuts all connections and frees the port. */
  close(): Promise<void>
}
