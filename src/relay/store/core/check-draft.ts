import { MetertapError } from '../../../wire/errors.ts'
import type { DeliveryDraft } from '../contract.ts'

/** A builder that miscounts would lose events or send them twice. */
export function checkDraft(draft: DeliveryDraft, offered: number): DeliveryDraft {
  const { taken, rows, unmappable } = draft
  const indexes = new Set(unmappable.map(({ index }) => index))
  const inside = [...indexes].every((index) => Number.isInteger(index) && index >= 0 && index < taken)
  const isSound = Number.isInteger(taken) && taken >= 1 && taken <= offered && inside && rows === taken - indexes.size
  if (isSound) return draft
  throw new MetertapError('internal', 'The delivery builder has miscounted: nothing was changed. This is a bug.', {
    ...{ offered, taken, rows, unmappable: indexes.size },
  })
}
