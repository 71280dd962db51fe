import { EVENTS, type Stage, until } from '../cell/stage.ts'
import type { Moment } from '../contract.ts'
import { pass } from '../server/proxy.ts'
import type { PageLine } from '../server/switchboard.ts'
import type { Scenario } from './contract.ts'

/** Another connection wants a newer version, so the agent's is closed under it; the data stays. */
const connectionClosed: Scenario = {
  name: 'connection closed',
  async run(stage, moment) {
    const { book } = stage
    const page = await stage.visit()
    if (moment === 'before durable') {
      await stage.strikeWhileRecording(page, { kind: 'upgrade' })
      page.tell('flush')
    } else {
      await stage.recordDurably(page)
      if (moment === 'in flight') {
        const held = await stage.flushIntoHold(page)
        await page.call('upgrade')
        held.release(pass)
      } else {
        await page.call('upgrade')
        page.tell('flush')
      }
    }
    // The connection has to heal for what comes later too.
    await stage.recordDurably(page)
    page.tell('flush')
    await stage.drain(page)
    book.expect(book.failed.size === 0, `${book.failed.size} events were refused though the data stayed`)
    page.tell('leave', { kind: 'close' })
  },
}

const ONE = { count: 1 }
/** Together far more than what is left of a full quota. */
const BIG = { count: EVENTS.count, padChars: 30_000 }

async function fill(stage: Stage, page: PageLine): Promise<void> {
  const bytes = await page.call('fillStorage')
  stage.book.expect(bytes > 0, 'the storage was full before')
}

/** The storage fills up around the events; receipts have to say what came of each. */
async function playQuota(stage: Stage, page: PageLine, moment: Moment): Promise<void> {
  const { book } = stage
  if (moment === 'before durable') await fill(stage, page)
  else {
    await stage.recordDurably(page)
    const held = moment === 'in flight' ? await stage.flushIntoHold(page) : undefined
    await fill(stage, page)
    held?.release(pass)
  }
  await stage.recordDurably(page, BIG)
  book.expect(book.failed.size > 0 || book.levels.memory !== undefined, 'no receipt told of the full storage')
  page.tell('flush')
  if (stage.engine === 'webkit') book.note('here the disk itself is full: nothing can be deleted until it is not')
  else await stage.drain(page)
  await until('Room', () => page.call('freeStorage'))
  await until('Durable events, now that there is room again', async () => {
    const before = book.durable.size
    await stage.recordDurably(page, ONE)
    return book.durable.size > before
  })
  page.tell('flush')
  await stage.drain(page)
}

const quota: Scenario = {
  name: 'quota',
  storage: 'small',
  async run(stage, moment) {
    const page = await stage.visit()
    try {
      await playQuota(stage, page, moment)
    } finally {
      // The next cell fills the same storage.
      await page.call('freeStorage')
    }
    page.tell('leave', { kind: 'close' })
  },
}

export const storage: readonly Scenario[] = [quota, connectionClosed]
