import { MetertapError } from '../../wire/errors.ts'
import type { AppendGroup, StreamHead } from '../contract.ts'

/** Refuses a group that would let one account's events travel under another's tag. `known` is the head seen last. */
export function checkGroup(
  { head, segments, rollups = [], hidden = [] }: AppendGroup,
  known: StreamHead | undefined,
): void {
  if ([known ?? head, ...rollups].some(({ accountTag }) => accountTag !== head.accountTag)) {
    throw new MetertapError('internal', 'A stream keeps one account tag.')
  }
  if ([...segments, ...rollups, ...hidden].some(({ stream }) => stream !== head.stream)) {
    throw new MetertapError('internal', 'A group’s segments are its head’s.')
  }
}
