import { MetertapError } from '../../wire/errors.ts'
import type { KeysFace } from './contract.ts'

/**
 * With another number of shards accounts would move to objects that do not know their streams, and be billed twice.
 *
 * Errors: MetertapError bad_option.
 */
export async function requireSameShards(keys: Pick<KeysFace, 'fixShards'>, shards: number): Promise<void> {
  const known = await keys.fixShards(shards)
  if (known === shards) return
  const message =
    `The relay was begun with ${known} shards, and now has ${shards}: nothing is taken. ` +
    `Say shards: ${known} again. To grow, deploy a second relay beside it: see "More shards" in docs/deploying-the-relay.md.`
  throw new MetertapError('bad_option', message, { option: 'shards', known, shards })
}
