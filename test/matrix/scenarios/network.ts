import type { Stage } from '../cell/stage.ts'
import { EVENTS, until } from '../cell/stage.ts'
import type { Moment } from '../contract.ts'
import { type Action, cut, loseAnswer } from '../server/proxy.ts'
import type { PageLine } from '../server/switchboard.ts'
import type { Scenario } from './contract.ts'

/** A fault between browser and relay; the page lives through it. */
interface NetworkFault {
  readonly name: string
  readonly quick?: readonly Moment[]
  /** What the next requests meet, in order. The last moment's first action strikes a request that has arrived. */
  actions(moment: Moment): readonly Action[]
  /** How long the browser has to stay away after the first request, ms. */
  readonly respectMs?: number
  readonly requestTimeoutMs?: number
}

/** Notes that the fault has struck, so that a cell cannot pass without one. */
function counted(action: Action, onStrike: () => void): Action {
  return (exchange) => {
    onStrike()
    return action(exchange)
  }
}

async function strike(stage: Stage, page: PageLine, moment: Moment, actions: readonly Action[]): Promise<void> {
  if (moment === 'before durable') {
    stage.proxy.next(...actions)
    await stage.strikeWhileRecording(page, { kind: 'flush' })
    return
  }
  await stage.recordDurably(page)
  if (moment === 'after durable') {
    stage.proxy.next(...actions)
    page.tell('flush')
    return
  }
  const [first = cut, ...others] = actions
  const held = await stage.flushIntoHold(page)
  stage.proxy.next(...others)
  held.release(first)
}

function networkScenario({ name, quick = [], actions, respectMs = 0, requestTimeoutMs }: NetworkFault): Scenario {
  return {
    name,
    quick,
    async run(stage, moment) {
      const { proxy, book } = stage
      const page = await stage.visit(requestTimeoutMs === undefined ? {} : { requestTimeoutMs })
      const before = proxy.arrivalsMs.length
      let strikes = 0
      const faults = actions(moment).map((action) => counted(action, () => strikes++))
      await strike(stage, page, moment, faults)
      await until('The fault', async () => strikes > 0)
      await stage.drain(page)
      await stage.readReceipts(page)
      const [first = 0, second = first] = proxy.arrivalsMs.slice(before)
      const gapMs = second - first
      book.expect(gapMs >= respectMs, `the next request came after ${gapMs} ms, asked were ${respectMs} ms`)
      page.tell('leave', { kind: 'close' })
    },
  }
}

const status =
  (code: number, headers: Readonly<Record<string, string>> = {}): Action =>
  (exchange) =>
    exchange.reply(code, headers)

/** A gateway that fails after the relay has committed. */
const storedThen500: Action = async (exchange) => {
  await exchange.pass({ answer: false })
  exchange.reply(500)
}

const late =
  (delayMs: number): Action =>
  async (exchange) => {
    await new Promise((resolve) => setTimeout(resolve, delayMs))
    await exchange.pass()
  }

const inSeconds = (seconds: number): string => new Date(Date.now() + seconds * 1_000).toUTCString()
/** Retry-After as a date is cut to whole seconds. */
const retryAtDate: Action = (exchange) => exchange.reply(429, { 'retry-after': inSeconds(2) })

const MAX_WIRE_BYTES = 1_200

const relayDown: Scenario = {
  name: 'relay down',
  quick: ['after durable'],
  async run(stage, moment) {
    const { proxy } = stage
    const page = await stage.visit()
    if (moment === 'before durable') {
      await proxy.down()
      await stage.strikeWhileRecording(page, { kind: 'flush' })
    } else if (moment === 'after durable') {
      await stage.recordDurably(page)
      await proxy.down()
      page.tell('flush')
    } else {
      await stage.recordDurably(page)
      const held = await stage.flushIntoHold(page)
      held.release(cut)
      await proxy.down()
    }
    await until('Trouble', async () => (await page.call('trouble')) !== undefined)
    await proxy.up()
    await stage.drain(page)
    await stage.readReceipts(page)
    page.tell('leave', { kind: 'close' })
  },
}

/** 413 for whatever is above the cap, for as long as the page lives. */
const tooLarge: Scenario = {
  name: '413',
  async run(stage, moment) {
    const page = await stage.visit()
    let strikes = 0
    const capped: Action = (exchange) => {
      if (exchange.bytes <= MAX_WIRE_BYTES) return exchange.pass()
      strikes++
      return exchange.reply(413)
    }
    stage.proxy.always(capped)
    await strike(stage, page, moment, [capped])
    await until('The fault', async () => strikes > 0)
    await stage.drain(page)
    await stage.readReceipts(page)
    page.tell('leave', { kind: 'close' })
  },
}

const offlineStart: Scenario = {
  name: 'offline start',
  async run(stage, moment) {
    const { book, browser, name, proxy, world } = stage
    world.tokensDown.add(name)
    await proxy.down()
    const page = await browser.openTab()
    // The network can be dead while the browser calls itself online: then the agent finds out by a request.
    const offline = moment !== 'in flight'
    const record = moment === 'before durable' ? EVENTS : undefined
    book.record(await page.call('start', stage.options({ offline, ...(record ? { record } : {}) })))
    if (moment !== 'before durable') await stage.recordDurably(page)
    page.tell('flush')
    if (moment === 'in flight') {
      await until('Trouble', async () => (await page.call('trouble')) !== undefined)
      world.tokensDown.delete(name)
      await proxy.up()
      const held = await stage.flushIntoHold(page)
      await proxy.down()
      held.release(cut)
      page.tell('leave', { kind: 'close' })
      await stage.pageGone(held)
    } else if (moment === 'after durable') page.tell('leave', { kind: 'close' })
    else await stage.readReceipts(page)
    world.tokensDown.delete(name)
    await proxy.up()
    if (moment !== 'before durable') return stage.comeBack(await browser.openTab())
    book.expect(proxy.arrivalsMs.length === 0, 'a request was made while offline')
    page.tell('goOnline')
    await stage.drain(page)
    page.tell('leave', { kind: 'close' })
  },
}

const faults: readonly NetworkFault[] = [
  { name: 'answer lost', quick: ['in flight'], actions: () => [loseAnswer, loseAnswer] },
  {
    name: '500',
    actions: (moment) => (moment === 'in flight' ? [storedThen500] : [status(500), storedThen500]),
  },
  { name: '503', respectMs: 1_000, actions: () => [status(503, { 'retry-after': '1' })] },
  {
    name: '429',
    respectMs: 1_000,
    actions: (moment) => [moment === 'after durable' ? retryAtDate : status(429, { 'retry-after': '1' })],
  },
  { name: '401', actions: () => [status(401)] },
  { name: 'slow', requestTimeoutMs: 1_000, actions: () => [late(1_500), late(500)] },
]

export const network: readonly Scenario[] = [offlineStart, relayDown, ...faults.map(networkScenario), tooLarge]
