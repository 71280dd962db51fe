import { startPostgres } from '../../test/support/postgres.ts'
import type { Bench, BenchOptions, Report } from '../contract.ts'
import { openServers } from '../relay/servers.ts'
import { measureFlatCost } from './flat.ts'
import { measureRelays } from './relays.ts'

const EVENTS = { quick: 2_000_000, full: 50_000_000 }
const BATCHES = { quick: 160, full: 1_280 }
/** As on a server of its own, as far as a machine that runs everything can be. */
const SETTINGS = { fsync: 'on', shared_buffers: '256MB', max_wal_size: '4GB', checkpoint_timeout: '15min' }

async function run({ quick, rounds, only, tell }: BenchOptions): Promise<Report> {
  const form = quick ? 'quick' : 'full'
  const database = await startPostgres(SETTINGS)
  const servers = await openServers()
  try {
    tell('one, two and four relays')
    const relays = 'relays'.includes(only)
      ? [await measureRelays(servers, database, { batches: BATCHES[form], rounds })]
      : []
    const flat = 'flat'.includes(only) ? [await measureFlatCost(database, { events: EVENTS[form], rounds, tell })] : []
    return {
      ratios: flat.flatMap(({ ratios }) => ratios),
      tables: [...relays, ...flat.map(({ table }) => table)],
      charts: [],
      notes: [
        'Relays, PostgreSQL and the clients share the cores of one machine: where the cores of relays and database add up to nearly all there are, it is the machine that saturates.',
        'A group of requests is one transaction of 8 statements in 2 round trips (with idempotency keys 11 in 4), however many requests are in it.',
      ],
    }
  } finally {
    await servers.close()
    await database.stop()
  }
}

export const scaleBench: Bench = {
  name: 'scale',
  title: 'Many relays on one PostgreSQL, and what accepting costs beside very many events',
  defaultRounds: { quick: 2, full: 5 },
  run,
}
