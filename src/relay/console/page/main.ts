import type { LaneStats } from '../../forward/contract.ts'
import type { LaneBacklog, LedgerTotals } from '../../store/contract.ts'
import { ask, Refusal } from './ask.ts'
import { createCompleteness } from './completeness.ts'
import { createDeadLetters } from './dead-letters.ts'
import { createDecisions } from './decisions.ts'
import { tell } from './dom.ts'
import { createLanes } from './lanes.ts'
import { showLogin } from './login.ts'
import { createOverview } from './overview.ts'
import { createSearch } from './search.ts'
import { createTraffic } from './traffic.ts'

interface Ledger {
  readonly serverTime: number
  readonly totals: LedgerTotals
  readonly lanes: LaneBacklog[]
  readonly forwarding: LaneStats[]
}

const QUICK_MS = 3_000
/** The days are read from thousands of streams. */
const SLOW_MS = 60_000

const main = document.querySelector('#main') as HTMLElement
const navigation = document.querySelector('#sections') as HTMLElement
const signOut = document.querySelector('#sign-out') as HTMLButtonElement
let timers: ReturnType<typeof setInterval>[] = []
let refreshAll = (): void => {}

function leave(): void {
  for (const timer of timers) clearInterval(timer)
  timers = []
  refreshAll = () => {}
  navigation.hidden = true
  signOut.hidden = true
  showLogin(main, enter)
}

function enter(): void {
  const overview = createOverview()
  const completeness = createCompleteness()
  const traffic = createTraffic()
  const lanes = createLanes(() => run(readLedger))
  const letters = createDeadLetters(() => run(readLedger))
  const decisions = createDecisions(() => run(readLedger))
  let dead = -1

  async function readLedger(): Promise<void> {
    const { serverTime, totals, lanes: backlog, forwarding } = await ask<Ledger>('GET', '/v1/ledger?limit=1')
    overview.show(totals)
    lanes.show(serverTime, backlog, forwarding)
    traffic.sample(serverTime, totals, backlog)
    await decisions.refresh()
    if (totals.dead !== dead && letters.isIdle()) {
      dead = totals.dead
      await letters.refresh()
    }
  }

  main.replaceChildren(
    overview.root,
    completeness.root,
    traffic.root,
    lanes.root,
    decisions.root,
    letters.root,
    createSearch().root,
  )
  navigation.hidden = false
  signOut.hidden = false
  main.focus()
  const slowly = async (): Promise<void> => {
    await Promise.all([completeness.refresh(), traffic.refresh()])
  }
  refreshAll = () => {
    run(readLedger)
    run(slowly)
  }
  refreshAll()
  timers = [setInterval(() => run(readLedger), QUICK_MS), setInterval(() => run(slowly), SLOW_MS)]
}

/** A page nobody looks at asks nothing. A session that ended leads to the login. */
function run(job: () => Promise<void>): void {
  if (document.hidden) return
  job().catch((error: unknown) => {
    if (error instanceof Refusal && error.status === 401) return leave()
    tell((error as Error).message)
  })
}

document.addEventListener('visibilitychange', () => refreshAll())

signOut.addEventListener('click', () => {
  ask('POST', '/logout').then(leave, (error: Error) => tell(error.message))
})

ask<{ isSignedIn: boolean }>('GET', '/session').then(
  ({ isSignedIn }) => (isSignedIn ? enter() : leave()),
  (error: Error) => tell(error.message),
)
