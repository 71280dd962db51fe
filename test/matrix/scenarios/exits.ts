import type { Stage } from '../cell/stage.ts'
import type { Blow, Moment } from '../contract.ts'
import { newPageId } from '../engines/browser.ts'
import { pass } from '../server/proxy.ts'
import type { PageLine } from '../server/switchboard.ts'
import type { Scenario } from './contract.ts'

/** A way for a page to end, and what comes after it. */
interface Exit {
  /** The browser outlives the page: an append that was issued is carried out. */
  readonly keepsIssued?: boolean
  readonly blow: Blow
  /** Ends the page from outside. */
  end(page: PageLine): void | Promise<void>
  /** The page of the next visit. */
  next(): Promise<PageLine>
}

/** The request is on its way when its page goes; its bytes still reach the relay, and nobody hears the answer. */
async function playInFlight(stage: Stage, page: PageLine, { blow, end, next }: Exit): Promise<void> {
  const held = await stage.flushIntoHold(page)
  await end(page)
  if (blow.kind === 'navigate') {
    // The page may sleep in the back/forward cache with its request open; the next one must not wait for it.
    await stage.comeBack(await next())
    return held.release(pass)
  }
  await stage.pageGone(held)
  await held.release(pass)
  await stage.comeBack(await next())
}

/** The page goes in the task that records: half of the events have their append issued, the others nothing at all. */
async function playBefore(stage: Stage, page: PageLine, { blow, end, next, keepsIssued }: Exit): Promise<void> {
  const { book, engine } = stage
  const kill = () => (blow.kind === 'killed' ? end(page) : undefined)
  const issued = await stage.strikeWhileRecording(page, blow, kill)
  await stage.comeBack(await next())
  if (engine !== 'chromium') return
  // A page that ends in order ends its task first, and the agent's append is part of that.
  book.nothingMayBeLost = blow.kind !== 'killed'
  const cut = keepsIssued ? issued.filter((id) => !book.durable.has(id)).length : 0
  book.expect(cut === 0, `${cut} events are gone whose append was issued`)
}

async function play(stage: Stage, moment: Moment, exit: Exit): Promise<void> {
  const page = await stage.visit()
  if (moment === 'before durable') return playBefore(stage, page, exit)
  await stage.recordDurably(page)
  if (moment === 'in flight') return playInFlight(stage, page, exit)
  await exit.end(page)
  await stage.comeBack(await exit.next())
}

const tabClosed: Scenario = {
  name: 'tab closed',
  quick: ['before durable'],
  async run(stage, moment) {
    await play(stage, moment, {
      blow: { kind: 'close' },
      end: (page) => page.tell('leave', { kind: 'close' }),
      next: () => stage.browser.openTab(),
    })
  },
}

const navigation: Scenario = {
  name: 'navigation',
  async run(stage, moment) {
    const id = newPageId()
    const blow = { kind: 'navigate', url: `/page?id=${id}` } as const
    await play(stage, moment, {
      blow,
      end: (page) => page.tell('leave', blow),
      next: () => stage.world.switchboard.connect(id),
    })
  },
}

async function restartAndOpen({ browser }: Stage): Promise<PageLine> {
  await browser.restart()
  return browser.openTab()
}

const rendererCrash: Scenario = {
  name: 'renderer crash',
  quick: ['after durable'],
  async run(stage, moment) {
    await play(stage, moment, {
      blow: { kind: 'killed' },
      keepsIssued: true,
      end: () => stage.browser.killRenderers(),
      next: () => restartAndOpen(stage),
    })
  },
}

const browserKilled: Scenario = {
  name: 'browser SIGKILL',
  quick: ['before durable', 'in flight'],
  async run(stage, moment) {
    await play(stage, moment, {
      blow: { kind: 'killed' },
      end: () => stage.browser.kill(),
      async next() {
        await stage.browser.start()
        return stage.browser.openTab()
      },
    })
  },
}

export const exits: readonly Scenario[] = [tabClosed, navigation, rendererCrash, browserKilled]
