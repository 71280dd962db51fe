import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Found } from './contract.ts'

const run = promisify(execFile)
const BENCH = join(import.meta.dirname, '../../edge.ts')

/** What the bench of the edge relay prints, as points. */
export function readEdgeReport(text: string): Found {
  const rows = [...text.matchAll(/^(\d+) \| (\d+) \| (\d+) \| [\d.]+$/gm)]
  const bytes = (label: string): number => Number(new RegExp(`^${label}: ([\\d.]+)$`, 'm').exec(text)?.[1])
  const found = {
    ...Object.fromEntries(rows.map(([, size, , edge]) => [`edge.accept.batch${size}.eventsPerS`, Number(edge)])),
    'edge.eventBytes': bytes('bytes that an event takes in a shard while it waits'),
    'edge.streamBytes': bytes('bytes that a stream keeps for good'),
  }
  if (rows.length === 0 || Object.values(found).some(Number.isNaN)) {
    throw new Error('bench/edge.ts printed no table that could be read.')
  }
  return found
}

export async function measureEdge(tell: (text: string) => void): Promise<Found> {
  tell('the edge relay’s shard')
  return readEdgeReport((await run(process.execPath, [BENCH, '--quick'])).stdout)
}
