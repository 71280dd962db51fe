import type { Receipt } from '../../../src/index.ts'
import { byId, onClick, say, whole } from './dom.ts'
import { openEasel } from './easel.ts'
import { keepCopy } from './library.ts'
import { drawPicture, toFile } from './picture.ts'
import type { Format, ProductUsage } from './product-usage.ts'

/** The browser must have begun the download by then. */
const REVOKE_AFTER_MS = 10_000

/** What an event survives, in words. */
const SURVIVES = { memory: 'nothing', process: 'the end of this browser', power: 'a power cut' } as const

/** Tells the user what became of an event: its typed error, or what it survives. */
export async function tell(what: string, receipt: Receipt): Promise<void> {
  if (receipt.error) return say(`${receipt.error.code}: ${receipt.error.message}`, true)
  const durability = await receipt.durable
  say(`${what} The event survives ${SURVIVES[durability]}.`)
}

/** The product's own controls: each does its thing and records what it used. */
export function openStudio(usage: ProductUsage): void {
  let seed = 7
  let dabs = 0
  const { canvas, splash } = openEasel((ink) => {
    usage.dabbed(ink)
    say(`${whole(++dabs)} dabs of ink on this picture.`)
  })
  drawPicture(canvas, seed)

  onClick('splash', splash)
  onClick('fresh', () => {
    dabs = 0
    drawPicture(canvas, ++seed)
    say('A new picture: that is free.')
  })
  onClick('export', async () => {
    const format = byId<HTMLSelectElement>('format').value as Format
    const link = document.createElement('a')
    link.href = URL.createObjectURL(await toFile(canvas, format))
    link.download = `halftone-${seed}.${format}`
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), REVOKE_AFTER_MS)
    await tell(`Exported as ${format.toUpperCase()}.`, usage.exported(format))
  })
  onClick('save-copy', async () => {
    const { size } = await toFile(canvas, 'png')
    keepCopy(canvas, size)
    await tell(`Kept ${whole(size)} bytes.`, usage.kept(size))
  })
}
