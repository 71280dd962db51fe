/** A tab that works by itself: an ordinary page with an agent of its own, and nobody at the keyboard. */
import { backEnd } from '../../product/page/back-end.ts'
import { setText, whole } from '../../product/page/dom.ts'
import { createUsage } from '../../product/page/product-usage.ts'
import { hearNetwork } from './network-news.ts'

const EXPORTS = 200
/** Hidden tabs have one timer a second: each does the work of one. */
const TICK_MS = 1_000
const EXPORTS_PER_TICK = 20
const FORMATS = ['png', 'jpeg'] as const

async function work(): Promise<void> {
  hearNetwork()
  const session = await backEnd.session()
  if (!session.user) return void setText('robot-state', 'sign in first, in another tab')
  const usage = createUsage(session, session.user)
  for (let done = 0; done < EXPORTS; ) {
    setText('robot-state', 'working')
    for (let each = 0; each < EXPORTS_PER_TICK; each++) usage.exported(FORMATS[done++ % FORMATS.length] ?? 'png')
    setText('done', whole(done))
    await new Promise((resolve) => setTimeout(resolve, TICK_MS))
  }
  setText('robot-state', 'done: close this tab whenever you like')
}

await work()
