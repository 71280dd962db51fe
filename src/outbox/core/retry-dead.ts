import type { DeadLetter, StreamHead } from '../contract.ts'
import { returnDead } from './accounting.ts'
import { groupByStream } from './group-by-stream.ts'
import { allSettled, noProgress } from './progress.ts'
import { sliceSegment } from './split-events.ts'
import { streamRows } from './state.ts'
import { byStream, type Progress, type Tables } from './tables.ts'

/** See Outbox.retryDeadLetters. */
export async function retryDeadIn(
  tables: Tables,
  letters: readonly Pick<DeadLetter, 'stream' | 'seq'>[],
): Promise<number> {
  const rows = await streamRows(tables)
  const heads = byStream(rows.heads)
  let moved = 0
  for (const [stream, keys] of groupByStream(letters)) {
    const found = await lettersOf(tables, stream, keys)
    if (found.length === 0) continue
    const known = rows.progress.get(stream) ?? noProgress(stream)
    let progress = heads.has(stream) ? known : recall(tables, stream, found)
    for (const letter of found) progress = moveBack(tables, progress, letter)
    tables.putProgress(progress)
    moved += found.length
  }
  return moved
}

async function lettersOf(
  tables: Tables,
  stream: string,
  keys: readonly { readonly seq: number }[],
): Promise<DeadLetter[]> {
  const seqs = [...new Set(keys.map(({ seq }) => seq))]
  const found = await Promise.all(seqs.map((seq) => tables.dead(stream, seq)))
  return found.filter((letter) => letter !== undefined)
}

function moveBack(tables: Tables, progress: Progress, { stream, seq, event }: DeadLetter): Progress {
  const segment = sliceSegment(stream, [event], seq, seq, seq)
  tables.deleteDead(stream, seq)
  // A row that is there already comes from a second append: what else it holds has left, or has rows of its own.
  tables.putSegment(segment)
  return returnDead(progress, seq, segment.bytes)
}

/** The stream was forgotten, so all else of it was settled: its rows are made anew, up to the last letter. */
function recall(tables: Tables, stream: string, letters: readonly DeadLetter[]): Progress {
  const recorded = Math.max(...letters.map(({ seq }) => seq)) + 1
  const { accountTag } = letters[0] as DeadLetter
  const openedAtMs = Math.min(...letters.map(({ diedAtMs }) => diedAtMs))
  const head: StreamHead = { stream, accountTag, openedAtMs, recorded, bytes: 0, refused: {} }
  tables.putHead(head)
  const all = allSettled(head, openedAtMs)
  return { ...all, settled: all.settled - letters.length, dead: letters.length }
}
