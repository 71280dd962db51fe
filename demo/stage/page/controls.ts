import { exports } from '../../meters.ts'
import { byId, setText } from '../../product/page/dom.ts'
import type { ProductUsage } from '../../product/page/product-usage.ts'
import { tell } from '../../product/page/studio.ts'
import type { Mood, StageLook } from '../contract.ts'
import { tellNetworkIsBack } from './network-news.ts'
import { openRobots } from './robots.ts'
import { switchboard } from './switchboard.ts'

const MANY = 1_000

/** Wires the controls. */
export function openControls(usage: ProductUsage): void {
  const offline = byId('offline')
  const isCut = (): boolean => offline.getAttribute('aria-checked') === 'true'
  act('offline', async () => {
    const cut = !isCut()
    await switchboard.cutNetwork(cut)
    offline.setAttribute('aria-checked', String(cut))
    if (cut) return 'The cable to the relay is cut, for all tabs. Go on working: nothing is lost.'
    tellNetworkIsBack()
    return 'The cable is whole again.'
  })
  act('kill-relay', async () => {
    const isDead = byId('kill-relay').classList.contains('dead')
    await (isDead ? switchboard.startRelay() : switchboard.killRelay())
    return isDead ? 'A new relay runs on the same database.' : 'The relay’s process got SIGKILL: no last word.'
  })
  act('record-many', async () => {
    const receipts = Array.from({ length: MANY }, () => usage.exported('png'))
    await Promise.all(receipts.map(({ durable }) => durable))
    return '1,000 exports recorded, in one transaction of IndexedDB.'
  })
  act('record-bad', async () => {
    // What plain JavaScript could do: a format that nobody sells, and less than nothing of it.
    const data = { format: 'bmp', quantity: -1 } as unknown as { format: 'png'; quantity: number }
    await tell('', usage.agent.record(exports, data))
    return 'record() did not throw: the receipt has a typed error, and the ledger counts the refusal.'
  })
  act('open-tabs', async () => openRobots())
  act('copy-key', async () => {
    await navigator.clipboard.writeText(byId('console-key').textContent)
    return 'Copied: paste it into the console.'
  })
  const mood = byId<HTMLSelectElement>('mood')
  mood.addEventListener('change', () =>
    report(async () => {
      await switchboard.setMood(mood.value as Mood)
      return `Zuora’s stand-in ${mood.selectedOptions[0]?.text ?? ''}.`
    }),
  )
  byId('console').addEventListener('click', (event) => {
    event.preventDefault()
    window.open(byId<HTMLAnchorElement>('console').href, '_blank', 'popup,width=1280,height=900,noopener')
  })
}

/** Shows how things stand, also when another tab has changed them. */
export function showStage({ isCut, relay, mood, console }: StageLook): void {
  byId('offline').setAttribute('aria-checked', String(isCut))
  const isDead = relay.pid === undefined
  const restart = relay.nextStartAtMs ?? Date.now()
  const seconds = Math.max(0, Math.ceil((restart - Date.now()) / 1_000))
  setText('kill-relay', isDead ? `Start the relay (or wait ${seconds} s)` : `Kill the relay (kill -9 ${relay.pid})`)
  byId('kill-relay').classList.toggle('dead', isDead)
  const select = byId<HTMLSelectElement>('mood')
  if (document.activeElement !== select) select.value = mood
  byId<HTMLAnchorElement>('console').href = console.url
  setText('console-key', console.key)
}

function act(id: string, handler: () => Promise<string>): void {
  byId(id).addEventListener('click', () => report(handler))
}

async function report(handler: () => Promise<string>): Promise<void> {
  try {
    setText('stage-news', await handler())
  } catch (error) {
    setText('stage-news', `That did not work: ${(error as Error).message}`)
  }
}
