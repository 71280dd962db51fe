import type { DeadLetterFilter, RelayDeadLetter } from '../contract.ts'

/** A dead letter as it is stored. */
export interface LetterRow extends Omit<RelayDeadLetter, 'originalData' | 'needsEdit'> {
  originalData: string | null
  needsEdit: boolean | number
}

/** Array.isArray does not narrow a readonly list. */
export function isIds(selection: readonly number[] | DeadLetterFilter): selection is readonly number[] {
  return Array.isArray(selection)
}

/** Letters with the same go back into their lane together. */
export function ownerOf({ tenant, account, device, meter, receivedAtMs }: RelayDeadLetter): string {
  return JSON.stringify([tenant, account, device, meter, receivedAtMs])
}

export function toLetter({ originalData, needsEdit, ...row }: LetterRow): RelayDeadLetter {
  return {
    ...row,
    ...(originalData === null ? {} : { originalData }),
    ...(needsEdit ? { needsEdit: true as const } : {}),
  }
}
