import { AggregatorRegistry } from 'prom-client'
import type { FromWorker, Snapshot, ToWorker } from './contract.ts'

/** Where the workers' metrics are added up. */
export interface MetricsDesk {
  onMessage(worker: WorkerLine, message: unknown): void
  /** What it had counted, as far as it was told, stays in the sums: a counter that falls would be read as a restart. */
  onExit(id: number): void
}

export interface WorkerLine {
  readonly id: number
  send(message: ToWorker): unknown
}

interface Known {
  readonly worker: WorkerLine
  snapshot: Snapshot
  round: number
}

/** A worker that is silent for so long is counted as it last told. */
const ANSWER_WITHIN_MS = 2_000
const CUMULATIVE = new Set(['counter', 'histogram'])

/** Runs in the process that the workers belong to. */
export function createMetricsDesk(
  setTimer: (callback: () => void, delayMs: number) => () => void = realTimer,
): MetricsDesk {
  const living = new Map<number, Known>()
  /** What a worker has said last may come after the news of its end. */
  const gone = new Set<number>()
  let departed: Snapshot = []
  let rounds = 0
  let running: Promise<string> | undefined
  let onAnswer = (): void => {}

  async function ask(): Promise<string> {
    const round = ++rounds
    const isComplete = (): boolean => [...living.values()].every((known) => known.round === round)
    const { promise: done, resolve } = Promise.withResolvers<void>()
    const cancel = setTimer(resolve, ANSWER_WITHIN_MS)
    onAnswer = () => {
      if (isComplete()) resolve()
    }
    for (const { worker } of living.values()) worker.send({ metertap: 'tell', round })
    onAnswer()
    await done
    cancel()
    const told = [...living.values()].map((known) =>
      known.round === round ? known.snapshot : cumulativeOf(known.snapshot),
    )
    return AggregatorRegistry.aggregate([...told, departed]).metrics()
  }

  return {
    onMessage(worker, given) {
      const message = given as FromWorker
      if (gone.has(worker.id)) return
      if (message?.metertap === 'here') living.set(worker.id, { worker, snapshot: message.snapshot, round: 0 })
      if (message?.metertap === 'told') {
        const known = living.get(worker.id)
        if (known && message.round >= known.round)
          Object.assign(known, { snapshot: message.snapshot, round: message.round })
        onAnswer()
      }
      if (message?.metertap === 'wanted') {
        const { request } = message
        running ??= ask().finally(() => {
          running = undefined
        })
        running.then(
          (text) => worker.send({ metertap: 'all', request, text }),
          // Who has asked hears nothing, and says so: half an answer would mislead.
          () => {},
        )
      }
    },
    onExit(id) {
      const known = living.get(id)
      living.delete(id)
      gone.add(id)
      if (known) departed = sum([departed, cumulativeOf(known.snapshot)])
      onAnswer()
    },
  }
}

function cumulativeOf(snapshot: Snapshot): Snapshot {
  return snapshot.filter((metric) => CUMULATIVE.has(String((metric as { type?: unknown }).type)))
}

function sum(snapshots: readonly Snapshot[]): Snapshot {
  return AggregatorRegistry.aggregate([...snapshots]).getMetricsAsArray()
}

function realTimer(callback: () => void, delayMs: number): () => void {
  const timeout = setTimeout(callback, delayMs)
  return () => clearTimeout(timeout)
}
