import { MetertapError } from '../../wire/errors.ts'
import type { AppendGroup, StreamHead } from '../contract.ts'

/** Refuses a group that would let one account's events travel under another's tag. `known` is the head seen last. */
export function checkGroup({ head, segments, rollups = [] }: AppendGroup, known: StreamHead | undefined): void {
  if (known !== undefined && known.accountTag !== head.accountTag) {
    throw new MetertapError('internal', 'A stream keeps one account tag. Open a new stream for another account.')
  }
  if ([...segments, ...rollups].some(({ stream }) => stream !== head.stream)) {
    throw new MetertapError('internal', 'A group holds segments of one stream, the one its head names.')
  }
  if (rollups.some(({ accountTag }) => accountTag !== head.accountTag)) {
    throw new MetertapError('internal', 'A roll-up carries the account tag of its stream.')
  }
}
