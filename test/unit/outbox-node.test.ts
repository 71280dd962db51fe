import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Outbox } from '../../src/outbox/contract.ts'
import { type NodeOutboxDeps, openNodeOutbox, outboxPath } from '../../src/outbox/node/open.ts'
import { openOutboxFile } from '../../src/outbox/node/open-file.ts'
import { joinNodeOutbox } from '../../src/outbox/node/shared.ts'
import { CLAIM_ALL, claimOf, events, NOW, numbersOf, received } from '../contract/outbox-kit.ts'
import { testFolder } from '../support/sqlite-home.ts'
import { streamId, UsageOwner } from '../support/usage-owner.ts'
import { commitsIn } from '../support/write-ahead-log.ts'

const monotonic = () => performance.now()
const opened: Outbox[] = []
let folder: string
let one: UsageOwner

function deps(given: Partial<NodeOutboxDeps> = {}): NodeOutboxDeps {
  return {
    ...{ folder, name: 'usage', random: () => crypto.randomUUID(), clock: () => NOW, monotonic },
    ...{ holdLeases: () => undefined, onFailed: vi.fn(), onOpened: vi.fn(), onDamaged: vi.fn() },
    ...given,
  }
}

function open(given: Partial<NodeOutboxDeps> = {}): Outbox {
  const outbox = openNodeOutbox(deps(given))
  opened.push(outbox)
  return outbox
}

beforeEach(() => {
  folder = join(testFolder(), 'usage')
  one = new UsageOwner(streamId(1), 'acme')
})

afterEach(async () => {
  for (const each of opened.splice(0)) await each.close()
})

describe('an outbox in a folder', () => {
  test('is there, and open, when the call returns; for its owner only', async () => {
    const outbox = open()
    const path = outboxPath(folder, 'usage')
    expect(existsSync(path)).toBe(true)
    await outbox.append(one.group(events(1)))
    expect(statSync(folder).mode & 0o777).toBe(0o700)
    for (const suffix of ['', '-wal', '-shm', '.reserve']) expect(statSync(path + suffix).mode & 0o777).toBe(0o600)
  })

  test('a burst of 1,000 events is one transaction, and delivery takes two for a batch', async () => {
    const outbox = open()
    const path = outboxPath(folder, 'usage')
    const before = commitsIn(path)
    await outbox.append(one.group(events(1_000)))
    expect(commitsIn(path) - before).toBe(1)
    const claim = await claimOf(outbox, { leaseMs: 60_000 })
    await outbox.settle(received(claim))
    expect(commitsIn(path) - before).toBe(3)
    await outbox.totals()
    await outbox.streams()
    await outbox.claim(CLAIM_ALL)
    expect(commitsIn(path) - before, 'looking writes nothing').toBe(3)
  })

  test('syncs what asked to survive a power cut, and nothing else', () => {
    const { db, synced } = openOutboxFile(outboxPath(folder, 'usage'), monotonic)
    const level = () => db.transaction(() => db.prepare('PRAGMA synchronous').get()?.synchronous)
    expect(db.prepare('PRAGMA journal_mode').get()).toEqual({ journal_mode: 'wal' })
    expect([level(), synced(level), level()]).toEqual([1, 2, 1])
    expect(() =>
      synced(() => {
        throw new Error('full')
      }),
    ).toThrow('full')
    expect(level()).toBe(1)
    db.close()
  })

  test('names with any characters are files of their own', async () => {
    const names = ['a/../b', 'a:b', '*', 'ä ö']
    for (const name of names) await open({ name }).append(one.group(events(1)))
    expect(readdirSync(folder).filter((file) => file.endsWith('.db'))).toHaveLength(4)
    expect(readdirSync(join(folder, '..'))).toEqual(['usage'])
  })
})

describe('a file that another process has set aside', () => {
  test('is left at the next claim, for the one that stands in its place', async () => {
    const mine = open()
    await mine.append(one.group(events(2)))
    const path = outboxPath(folder, 'usage')
    for (const suffix of ['', '-wal', '-shm']) renameSync(path + suffix, `${path}.damaged-now${suffix}`)
    const other = open()
    const two = new UsageOwner(streamId(2), 'acme')
    await other.append(two.group(events(3)))
    expect(numbersOf(await mine.claim(CLAIM_ALL))).toEqual(['2:0+3'])
    await mine.append(one.group(events(1)))
    expect(numbersOf(await other.claim(CLAIM_ALL))).toEqual(['1:2+1', '2:0+3'])
  })
})

describe('a folder that cannot be used', () => {
  test('fails each call with what to do, is told once, and is tried again after a while', async () => {
    let nowMs = 0
    writeFileSync(folder, 'a file, where the folder should be')
    const given = deps({ monotonic: () => nowMs })
    const outbox = open(given)
    const refused = {
      code: 'outbox_unavailable',
      message: expect.stringMatching(/cannot be opened \(E\w+\).*local disk/),
    }
    await expect(outbox.append(one.group(events(1)))).rejects.toMatchObject(refused)
    await expect(outbox.claim(CLAIM_ALL)).rejects.toMatchObject(refused)
    expect(given.onFailed).toHaveBeenCalledTimes(1)
    rmSync(folder)
    await expect(outbox.totals(), 'not yet').rejects.toMatchObject(refused)
    nowMs += 1_000
    expect(await outbox.append(one.group(events(1)))).toBe('process')
    expect(given.onOpened).toHaveBeenCalledTimes(1)
    expect(given.onFailed).toHaveBeenCalledTimes(1)
  })

  test('after close() nothing is opened any more', async () => {
    const outbox = open()
    await outbox.close()
    await expect(outbox.append(one.group(events(1)))).rejects.toMatchObject({ code: 'closed' })
    await expect(outbox.totals()).rejects.toMatchObject({ code: 'closed' })
  })
})

describe('another process that is stopped in the middle of a write', () => {
  test('costs one wait, not one for each call; then everything goes on', async () => {
    let nowMs = 0
    const outbox = open({ monotonic: () => nowMs })
    const holder = new DatabaseSync(outboxPath(folder, 'usage'))
    holder.exec('BEGIN IMMEDIATE')
    const busy = { code: 'outbox_unavailable', detail: { trouble: 'busy' } }
    await expect(outbox.append(one.group(events(1)))).rejects.toMatchObject(busy)
    const prepare = vi.spyOn(DatabaseSync.prototype, 'exec')
    for (let n = 0; n < 100; n++) await expect(outbox.append(one.group(events(1)))).rejects.toMatchObject(busy)
    expect(prepare, 'nobody asks the database').not.toHaveBeenCalled()
    prepare.mockRestore()
    holder.close()
    nowMs += 5_000
    expect(await outbox.append(one.group(events(1)))).toBe('process')
  })
})

describe('agents of one thread', () => {
  test('share one connection, and the last that leaves closes it', async () => {
    const release = vi.fn()
    const holdLeases = vi.fn(() => ({ holders: { own: 'a', isAlive: () => true }, release }))
    const first = joinNodeOutbox(deps({ holdLeases }))
    const second = joinNodeOutbox(deps({ holdLeases }))
    const elsewhere = joinNodeOutbox(deps({ holdLeases, name: 'another' }))
    expect(holdLeases).toHaveBeenCalledTimes(2)
    await first.append(one.group(events(1)))
    await first.close()
    await first.close()
    expect(numbersOf(await second.claim(CLAIM_ALL))).toEqual(['1:0+1'])
    await second.close()
    await elsewhere.close()
    expect(release).toHaveBeenCalledTimes(2)
    const again = joinNodeOutbox(deps({ holdLeases }))
    expect(numbersOf(await again.claim(CLAIM_ALL))).toEqual(['1:0+1'])
    await again.close()
  })

  test('all hear that it cannot be opened, also who comes later', async () => {
    mkdirSync(join(folder, '..'), { recursive: true })
    writeFileSync(folder, 'a file')
    const [early, late] = [deps(), deps()]
    const outboxes = [joinNodeOutbox(early), joinNodeOutbox(late)]
    for (const { onFailed } of [early, late]) expect(onFailed).toHaveBeenCalledTimes(1)
    rmSync(folder)
    await expect
      .poll(
        () =>
          outboxes[0]?.totals().then(
            () => 'open',
            () => 'not yet',
          ),
        { timeout: 5_000 },
      )
      .toBe('open')
    for (const { onOpened } of [early, late]) expect(onOpened).toHaveBeenCalledTimes(1)
    for (const each of outboxes) await each.close()
  })
})
