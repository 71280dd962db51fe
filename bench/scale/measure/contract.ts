import type { TestPostgres } from '../../../test/support/postgres.ts'
import type { Servers } from '../../relay/servers.ts'

/** What a measurement found: values by the names of their points. */
export type Found = Readonly<Record<string, number>>

export interface Place {
  readonly servers: Servers
  readonly database: TestPostgres
  readonly postmaster: number
  readonly tell: (text: string) => void
}
