/** The page of Halftone. In a project of your own: 'metertap' and 'metertap/inspector'. */
import { type Agent, createAgent } from '../../../src/index.ts'
import { inspect } from '../../../src/inspector.ts'
import { PRODUCT_METERS } from '../../meters.ts'
import type { SessionInfo } from '../contract.ts'
import { backEnd } from './back-end.ts'
import { byId, onClick, say, setText } from './dom.ts'
import { showLedger } from './ledger-tables.ts'
import { openPanel } from './panel.ts'
import { openStudio } from './studio.ts'

/** Shorter than the default, so that a visitor sees things move. */
const FLUSH_INTERVAL_MS = 2_000
const LEDGER_REFRESH_MS = 1_000

function enter({ relay, outbox }: SessionInfo, user: NonNullable<SessionInfo['user']>): void {
  const usage = createAgent({
    relay,
    outbox,
    token: backEnd.usageToken,
    meters: PRODUCT_METERS,
    account: user.account,
    flushIntervalMs: FLUSH_INTERVAL_MS,
  })
  setText('user-name', user.name)
  setText('user-account', user.account)
  for (const id of ['who', 'studio']) byId(id).hidden = false
  byId('login').hidden = true
  openStudio(usage)
  openPanel(usage)
  openBreakers(usage)
  inspect(usage, { open: false })
  followLedger(usage)
  onClick('logout', async () => {
    // What is not sent yet stays in the outbox, under this account's tag, for the next visit.
    await usage.close()
    await backEnd.logout()
    location.reload()
  })
}

function openBreakers(usage: Agent): void {
  const toggle = byId('offline')
  toggle.addEventListener('click', () => {
    const isOffline = toggle.getAttribute('aria-checked') !== 'true'
    toggle.setAttribute('aria-checked', String(isOffline))
    if (isOffline) usage.pause('offline-switch')
    else usage.resume('offline-switch')
  })
  onClick('cut', async () => {
    await backEnd.cutRelay()
    say('The relay cannot be reached for 15 seconds. Go on recording: nothing is lost.')
  })
}

function followLedger(usage: Agent): void {
  const refresh = async (): Promise<void> => {
    try {
      if (document.visibilityState === 'visible') {
        const info = await backEnd.ledger()
        showLedger(info, usage.stats().stream)
        setText('cut', describeCut(info.cutUntilMs))
      }
    } catch {
      setText('ledger-note', 'the product’s back end does not answer')
    }
    setTimeout(refresh, LEDGER_REFRESH_MS)
  }
  void refresh()
}

function describeCut(cutUntilMs: number | null): string {
  if (cutUntilMs === null) return 'Cut the relay for 15 s'
  return `Relay cut, back in ${Math.max(1, Math.ceil((cutUntilMs - Date.now()) / 1_000))} s`
}

async function start(): Promise<void> {
  const session = await backEnd.session()
  if (session.user) return enter(session, session.user)
  byId('login').hidden = false
  for (const button of document.querySelectorAll<HTMLButtonElement>('[data-user]')) {
    button.addEventListener('click', async () => {
      const { user, ...info } = await backEnd.login(button.dataset.user ?? '')
      if (user) enter({ user, ...info }, user)
    })
  }
}

await start()
