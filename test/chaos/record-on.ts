import type { Agent } from '../../src/agent/agent.ts'
import { chaosEvents } from './meter.ts'

export interface RecordOnOptions {
  readonly usage: Agent
  /** How many events at a time; each as likely as the others. */
  readonly bursts: readonly number[]
  readonly meanPauseMs: number
  /** Told once these are durable, or held in memory. */
  readonly onPromise: (ids: readonly string[], durability: string) => void
}

/** Records on and on, in a page as in a process; gives back what ends it. */
export function recordOn({ usage, bursts, meanPauseMs, onPromise }: RecordOnOptions): () => void {
  let isRecording = true
  let n = 0

  /** Hears of each receipt when it is durable, and tells those of one burst together. */
  async function burst(count: number): Promise<void> {
    const receipts = Array.from({ length: count }, () =>
      usage.record(chaosEvents, { n: n++, pad: 'x'.repeat(Math.floor(Math.random() * 200)) }),
    )
    const told = await Promise.all(
      receipts.map(async ({ id, durable }) => ({ id, durability: await durable.catch(() => 'none') })),
    )
    for (const [durability, list] of Map.groupBy(told, (each) => each.durability)) {
      const ids = list.flatMap(({ id }) => id ?? [])
      if (durability !== 'none' && ids.length > 0) onPromise(ids, durability)
    }
  }

  function goOn(): void {
    if (isRecording) void burst(bursts[Math.floor(Math.random() * bursts.length)] ?? 1)
    setTimeout(goOn, Math.random() * 2 * meanPauseMs)
  }

  goOn()
  return () => {
    isRecording = false
  }
}
