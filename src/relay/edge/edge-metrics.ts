import type { ShardFace } from './contract.ts'
import type { ShardedStore } from './sharded-store.ts'

const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/** What can be told of all shards together, in the Prometheus text format and under the names of the relay's own metrics. */
export function createEdgeMetrics({
  store,
  shards,
  clock,
}: {
  readonly clock: () => number
  readonly store: Pick<ShardedStore, 'totals' | 'backlog'>
  readonly shards: readonly ShardFace[]
}): { render(): Promise<{ readonly text: string; readonly contentType: string }> } {
  return {
    async render() {
      const [{ streams, ...states }, lanes, bytes] = await Promise.all([
        store.totals(),
        store.backlog(),
        Promise.all(shards.map((shard) => shard.storedBytes())),
      ])
      const ledger = Object.entries(states).map(([state, count]) => [`{state="${state}"}`, count] as const)
      const backlog = lanes.flatMap(({ lane, waiting, inDelivery, parked }) => [
        [`{lane="${lane}",state="waiting"}`, waiting] as const,
        [`{lane="${lane}",state="in_delivery"}`, inDelivery] as const,
        [`{lane="${lane}",state="parked"}`, parked] as const,
      ])
      const ages = lanes.flatMap(({ lane, oldestReceivedAtMs: sinceMs }) =>
        sinceMs === undefined ? [] : [[`{lane="${lane}"}`, Math.max(0, clock() - sinceMs) / 1_000] as const],
      )
      const pauses = lanes.map(({ lane, paused }) => [`{lane="${lane}",state="paused"}`, paused ? 1 : 0] as const)
      const text = [
        gauge('ledger_streams', 'Streams in the ledger.', [['', streams]]),
        gauge('ledger_events', 'Numbers of all streams, by where they are.', ledger),
        gauge('backlog_events', 'Stored events not yet accepted upstream.', backlog),
        gauge('backlog_oldest_seconds', 'How long the oldest event on its way has waited.', ages),
        gauge('lane_state', '1 while the operator has paused the lane.', pauses),
        gauge(
          'shard_bytes',
          'Size of each shard.',
          bytes.map((size, i) => [`{shard="${i}"}`, size] as const),
        ),
      ]
      return { text: text.join(''), contentType: CONTENT_TYPE }
    },
  }
}

function gauge(name: string, help: string, values: readonly (readonly [labels: string, value: number])[]): string {
  const lines = values.map(([labels, value]) => `metertap_${name}${labels} ${value}\n`)
  return `# HELP metertap_${name} ${help}\n# TYPE metertap_${name} gauge\n${lines.join('')}`
}
