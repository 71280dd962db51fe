import type { AppendGroup } from '../contract.ts'
import type { Tables } from './tables.ts'

/** See Outbox.append. */
export function putGroup(tables: Tables, { head, segments, rollups, closed, hidden }: AppendGroup): void {
  for (const segment of segments) {
    tables.putSegment(segment)
    if (hidden) tables.deleteHidden(head.stream, segment.first, segment.first)
  }
  for (const row of hidden ?? []) tables.putHidden(row)
  for (const rollup of rollups ?? []) tables.putRollup(rollup)
  for (const seq of closed ?? []) tables.deleteRollup(head.stream, seq)
  tables.putHead(head)
}
