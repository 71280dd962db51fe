import type { DeliveryDraft } from '../store/contract.ts'

/** How far a brake is. */
export interface BrakeState {
  /** Events that `fields` could not map, one after the other, up to the last that was cut. */
  readonly inARow: number
  readonly isHeld: boolean
}

/** What `fields` could not map, and why: names of fields, never values. */
export interface MappingFailure {
  readonly code: string
  readonly detail: string
}

/**
 * Tells single events that do not fit a meter's `fields` from `fields` that fit no event: the first become dead letters,
 * the second must not bury the queue.
 *
 * Any event on offer that can be mapped proves that `fields` can be right: what fails before it is buried. Where all of
 * 20 or more in a row fail, none of those at hand is cut, and the lane holds them until one on offer can be mapped, or
 * until one of another account, behind those of a single one, can be mapped.
 */
export interface MappingBrake {
  readonly isHeld: boolean
  /** How many events to offer, where a call takes `maxRows`: enough to see whether only the first cannot be mapped. */
  offer(maxRows: number): number
  /** As much of a draft as may be cut; or the failure for which nothing may. */
  judge(draft: DeliveryDraft): DeliveryDraft | MappingFailure
  /** What another brake can go on from. */
  snapshot(): BrakeState
}

/** So many events in a row that cannot be mapped are no single bad events any more. */
const MAX_UNMAPPED_IN_A_ROW = 20
/** How far is looked ahead once something could not be mapped. */
const LOOK_AHEAD_EVENTS = 1_000
/** These speak of the field's source. What else may be wrong, such as an emoji, is the event's own fault. */
const CODES = new Set(['missing_field', 'mapping_failed', 'unsupported_value'])

export function createMappingBrake(from: BrakeState = { inARow: 0, isHeld: false }): MappingBrake {
  let { inARow, isHeld } = from
  return {
    get isHeld() {
      return isHeld
    },
    offer: (maxRows) => (inARow === 0 && !isHeld ? maxRows : Math.max(maxRows, LOOK_AHEAD_EVENTS)),
    judge(draft) {
      const { kept, tail } = divide(draft)
      const failures = tail.filter(({ code }) => CODES.has(code))
      const [first] = failures
      const run = failures.length + (draft.rows === 0 ? inARow : 0)
      const isTooLong = first !== undefined && run >= MAX_UNMAPPED_IN_A_ROW
      if (isTooLong && draft.rows === 0) {
        isHeld = true
        return { code: first.code, detail: first.detail }
      }
      inARow = isTooLong ? 0 : run
      if (draft.rows > 0) isHeld = false
      return isTooLong ? { ...draft, ...kept } : draft
    },
    snapshot: () => ({ inARow, isHeld }),
  }
}

/** A draft without the failures at its end, and those. */
function divide({ taken, unmappable }: DeliveryDraft): {
  kept: Pick<DeliveryDraft, 'taken' | 'unmappable'>
  tail: DeliveryDraft['unmappable']
} {
  const bad = new Set(unmappable.map(({ index }) => index))
  let end = taken
  while (end > 0 && bad.has(end - 1)) end--
  return {
    kept: { taken: end, unmappable: unmappable.filter(({ index }) => index < end) },
    tail: unmappable.filter(({ index }) => index >= end),
  }
}
