import type { Agent, Receipt } from '../../../src/index.ts'
import { apiCalls, exports, storageBytes } from '../../meters.ts'
import { byId, onClick, say, whole } from './dom.ts'
import { drawPicture, toPng } from './picture.ts'

const BURST = 500
/** The browser must have begun the download by then. */
const REVOKE_AFTER_MS = 10_000

/** What an event survives, in words. */
const SURVIVES = { memory: 'nothing', process: 'the end of this browser', power: 'a power cut' } as const

async function tell(what: string, receipt: Receipt): Promise<void> {
  if (receipt.error) return say(`${receipt.error.code}: ${receipt.error.message}`, true)
  const durability = await receipt.durable
  say(`${what} Event ${receipt.id} is stored and survives ${SURVIVES[durability]}.`)
}

/** The product's own buttons: each does its thing and records what it used. */
export function openStudio(usage: Agent): void {
  const canvas = byId<HTMLCanvasElement>('picture')
  let seed = 7
  drawPicture(canvas, seed)

  onClick('enhance', () => {
    drawPicture(canvas, ++seed)
    return tell('Enhanced.', usage.record(apiCalls, { operation: 'enhance', quantity: 1 }))
  })
  onClick('export', async () => {
    const file = await toPng(canvas)
    const link = document.createElement('a')
    link.href = URL.createObjectURL(file)
    link.download = `halftone-${seed}.png`
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), REVOKE_AFTER_MS)
    await tell('Exported.', usage.record(exports, { format: 'png', quantity: 1 }))
  })
  onClick('save-copy', async () => {
    const { size } = await toPng(canvas)
    await tell(`Saved ${whole(size)} bytes.`, usage.record(storageBytes, { bytes: size }))
  })
  onClick('burst', async () => {
    const receipts = Array.from({ length: BURST }, () =>
      usage.record(apiCalls, { operation: 'batch-enhance', quantity: 1 }),
    )
    await Promise.all(receipts.map(({ durable }) => durable))
    say(`${BURST} API calls recorded, in one transaction.`)
  })
  onClick('bad', () => {
    // What plain JavaScript could do: a format that nobody sells, and less than nothing of it.
    const data = { format: 'bmp', quantity: -1 } as unknown as { format: 'png'; quantity: number }
    return tell('', usage.record(exports, data))
  })
}
