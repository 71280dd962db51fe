/** The product, metertap's inspector at its side, and the demo's controls above both. */
import type { Agent } from '../../../src/index.ts'
import { inspect } from '../../../src/inspector.ts'
import { openProduct } from '../../product/page/app.ts'
import { byId } from '../../product/page/dom.ts'
import type { OutboxStream } from '../contract.ts'
import { openControls, showStage } from './controls.ts'
import { hearNetwork } from './network-news.ts'
import { switchboard } from './switchboard.ts'
import { showVerdict } from './verdict-line.ts'

const REFRESH_MS = 1_000
/** Where the inspector has room beside the product it begins open. */
const WIDE = '(min-width: 68rem)'

async function lookIntoOutbox(agent: Agent): Promise<OutboxStream[]> {
  const streams = await agent.streams()
  return streams.map(({ stream: id, recorded, settled, dead, dropped }) => {
    return { id, recorded, settled, dead, dropped: Object.values(dropped).reduce((sum, count) => sum + count, 0) }
  })
}

/** Resolves with false where the page is served without a stage. */
async function refresh(agent: Agent): Promise<boolean> {
  const look = await switchboard.look(await lookIntoOutbox(agent))
  showVerdict(look.verdict)
  showStage(look)
  return true
}

async function follow(agent: Agent): Promise<void> {
  if (document.visibilityState === 'visible') await refresh(agent).catch(() => {})
  setTimeout(() => void follow(agent), REFRESH_MS)
}

hearNetwork()
const usage = await openProduct()
byId('dock').hidden = false
inspect(usage.agent, { open: matchMedia(WIDE).matches })
if (await refresh(usage.agent).catch(() => false)) {
  byId('stage').hidden = false
  openControls(usage)
  void follow(usage.agent)
}
