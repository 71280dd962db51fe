import { type Stage, until } from '../cell/stage.ts'
import type { Moment, ReceiptReport } from '../contract.ts'
import { pass } from '../server/proxy.ts'
import type { PageLine } from '../server/switchboard.ts'
import type { Scenario } from './contract.ts'

const TABS = 20
const ORDER = { count: 2 }
const FLUSH_INTERVAL_MS = 500
/** Requests that one tab would make for the same events, and the latitude that twenty of them get. */
const ALONE = 1
const LATITUDE = 2

function everyTab(): number[] {
  return Array.from({ length: TABS }, (_, tab) => tab)
}

async function openCrowd(stage: Stage, flushIntervalMs: number): Promise<PageLine> {
  const captain = await stage.browser.openTab()
  const urls = everyTab().map((tab) => `/page?crowd=${captain.id}&tab=${tab}`)
  await captain.call('openCrowd', { urls })
  await captain.call('crowd', { name: 'start', args: stage.options({ flushIntervalMs }) })
  return captain
}

async function recordEverywhere(stage: Stage, captain: PageLine): Promise<void> {
  const ids = await captain.call('crowd', { name: 'record', args: ORDER })
  for (const list of ids as string[][]) stage.book.record(list)
  const reports = await captain.call('crowd', { name: 'receipts', args: null })
  for (const report of reports as ReceiptReport[]) stage.book.receipts(report)
}

async function leader(captain: PageLine): Promise<number> {
  let tab = -1
  await until('A tab that sends', async () => {
    tab = (await captain.call('crowd', { name: 'leads', args: null })).indexOf(true)
    return tab >= 0
  })
  return tab
}

/** All tabs record and close in one task. */
async function strikeEverywhere(stage: Stage, captain: PageLine): Promise<void> {
  let told = 0
  captain.onStrike((ids) => {
    told++
    stage.book.record(ids)
  })
  const args = { ...ORDER, blow: { kind: 'close' } }
  await captain.call('crowd', { name: 'recordAndStrike', args })
  await until('Twenty tabs', async () => told === TABS)
}

async function play(stage: Stage, moment: Moment): Promise<void> {
  const { book, browser, proxy } = stage
  const captain = await openCrowd(stage, moment === 'after durable' ? FLUSH_INTERVAL_MS : 600_000)
  if (moment === 'before durable') {
    // What is recorded before the outbox is open has nowhere to go: here it is open.
    await recordEverywhere(stage, captain)
    await strikeEverywhere(stage, captain)
    captain.tell('leave', { kind: 'close' })
    return stage.comeBack(await browser.openTab())
  }
  const first = await leader(captain)
  if (moment === 'in flight') {
    const held = proxy.hold()
    await recordEverywhere(stage, captain)
    await captain.call('crowd', { name: 'flush', args: null, only: [first] })
    await held.arrived
    await captain.call('crowd', { name: 'leave', args: { kind: 'close' }, only: [first] })
    await stage.pageGone(held)
    await held.release(pass)
  } else await recordEverywhere(stage, captain)
  // No tab is told to send: those that live on have to see to it.
  await until('An empty outbox', async () => (await captain.call('held', stage.name)).length === 0)
  const requests = proxy.arrivalsMs.length
  if (moment === 'after durable')
    book.expect(requests <= 2 * ALONE + LATITUDE, `${requests} requests for one tab's ${ALONE}`)
  await captain.call('crowd', { name: 'leave', args: { kind: 'close' } })
  captain.tell('leave', { kind: 'close' })
}

const crowd: Scenario = {
  name: `${TABS} tabs`,
  async run(stage, moment) {
    await play(stage, moment)
  },
}

export const crowds: readonly Scenario[] = [crowd]
