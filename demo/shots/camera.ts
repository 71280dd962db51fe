import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright'
import { encodeSmallPng } from './small-png.ts'

/** Takes a picture of a page as it is now. */
export type Camera = (page: Page, name: string) => Promise<void>

/** Writes `<folder>/<name>.png`, small. `darkroom` is a page that decodes what the browser writes. */
export function createCamera(folder: string, darkroom: Page, tell: (line: string) => void): Camera {
  return async (page, name) => {
    const taken = await page.screenshot({ animations: 'disabled', caret: 'hide' })
    const { width, height, base64 } = await darkroom.evaluate(decode, taken.toString('base64'))
    const file = encodeSmallPng({ width, height, rgba: Buffer.from(base64, 'base64') })
    const path = join(folder, `${name}.png`)
    await writeFile(path, file)
    tell(`${path}  ${Math.ceil(file.length / 1_000)} kB`)
  }
}

/** Runs in the page. */
async function decode(png: string): Promise<{ width: number; height: number; base64: string }> {
  const bytes = Uint8Array.from(atob(png), (character) => character.charCodeAt(0))
  const bitmap = await createImageBitmap(new Blob([bytes]))
  const { width, height } = bitmap
  const context = new OffscreenCanvas(width, height).getContext('2d')
  context?.drawImage(bitmap, 0, 0)
  const { data } = context?.getImageData(0, 0, width, height) ?? { data: new Uint8ClampedArray() }
  let text = ''
  // String.fromCharCode() takes only so many at once.
  for (let at = 0; at < data.length; at += 8_192) text += String.fromCharCode(...data.subarray(at, at + 8_192))
  return { width, height, base64: btoa(text) }
}
