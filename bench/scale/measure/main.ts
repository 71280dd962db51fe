/**
 * Measures what the model of scale is fed with, in a few minutes; the fewer others use the machine, the better.
 * Usage: node bench/scale/measure/main.ts [--only accept|keep|forward|outage|edge] [--write]
 * With --write the points found replace those of bench/scale/measured.json; the others stay.
 */
import { parseArgs } from 'node:util'
import { startPostgres } from '../../../test/support/postgres.ts'
import { figure } from '../../harness/format.ts'
import { load, machineFacts } from '../../harness/machine.ts'
import { openServers } from '../../relay/servers.ts'
import { readMeasured, writeMeasured } from '../model/measured.ts'
import { measureAccept } from './accept.ts'
import type { Found, Place } from './contract.ts'
import { measureEdge } from './edge.ts'
import { fastestForwarding } from './forward.ts'
import { measureKeep } from './keep.ts'
import { measureOutage } from './outage.ts'

const { values } = parseArgs({
  options: { only: { type: 'string', default: '' }, write: { type: 'boolean', default: false } },
})
const SETTINGS = { fsync: 'on', shared_buffers: '256MB', max_wal_size: '4GB', checkpoint_timeout: '15min' }
const SLOW_CALL_MS = 1_000
/** Before anything is measured: above a part of the cores, others were there too. */
const loadBefore = load()
const IDLE_SHARE = 0.5

const PARTS: Readonly<Record<string, (place: Place) => Promise<Found>>> = {
  accept: async (place) => ({ ...(await measureAccept(place, 'sqlite')), ...(await measureAccept(place, 'postgres')) }),
  keep: measureKeep,
  forward: async (place) => ({
    ...(await fastestForwarding(place, 'sqlite', { events: 300_000 })),
    ...(await fastestForwarding(place, 'postgres', { events: 300_000 })),
    ...(await fastestForwarding(place, 'sqlite', { events: 200_000, callMs: SLOW_CALL_MS })),
  }),
  outage: measureOutage,
  edge: ({ tell }) => measureEdge(tell),
}

const tell = (text: string): void => console.error(`  ${text}`)
const database = await startPostgres(SETTINGS)
const servers = await openServers()
try {
  const [row] = await database.query<{ text: string }>("SELECT pg_read_file('postmaster.pid') AS text")
  const place = { servers, database, postmaster: Number(row?.text.split('\n')[0]), tell }
  const { cpu, cores, memoryGiB, system, node } = machineFacts([])
  const machine = `${cores} × ${cpu}, ${memoryGiB} GiB, ${system}, Node ${node}`
  for (const [part, measure] of Object.entries(PARTS)) {
    if (!part.includes(values.only)) continue
    const found = await measure(place)
    const command = `npm run scale:measure -- --only ${part} --write`
    const facts = {
      machine,
      date: new Date().toISOString().slice(0, 10),
      command,
      isPreliminary: loadBefore > cores * IDLE_SHARE,
    }
    for (const [name, value] of Object.entries(found)) console.log(`${name.padEnd(48)} ${figure(value)}`)
    if (values.write) writeMeasured({ ...readMeasured(), [part]: { ...facts, load: loadBefore, points: found } })
  }
} finally {
  await servers.close()
  await database.stop()
}
process.exit(0)
