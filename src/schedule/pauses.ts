import type { PauseReason } from './contract.ts'

export interface Pauses {
  add(reason: PauseReason): void
  remove(reason: PauseReason): void
  has(reason: PauseReason): boolean
  readonly reasons: readonly PauseReason[]
}

/** Sending is paused while any reason stands; each is taken back by name. `onChange` hears real changes only. */
export function createPauses(onChange: (reasons: readonly PauseReason[]) => void): Pauses {
  const reasons = new Set<PauseReason>()
  return {
    add(reason) {
      if (reasons.has(reason)) return
      reasons.add(reason)
      onChange([...reasons])
    },
    remove(reason) {
      if (reasons.delete(reason)) onChange([...reasons])
    },
    has: (reason) => reasons.has(reason),
    get reasons() {
      return [...reasons]
    },
  }
}
