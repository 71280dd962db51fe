import { openIdbOutbox } from '../../src/outbox/idb/open.ts'
import type { OutboxHome } from '../contract/outbox.ts'

let opened = 0

/** A new, empty outbox in the global IndexedDB, under a name of its own. */
export async function openIdbHome(): Promise<OutboxHome> {
  const name = `outbox-${++opened}-${crypto.randomUUID()}`
  const open = () => openIdbOutbox({ name, indexedDB, random: () => crypto.randomUUID(), clock: Date.now })
  const outbox = await open()
  const reopen = async () => {
    await outbox.close()
    return open()
  }
  return { outbox, reopen }
}
