import { crc32, deflateSync } from 'node:zlib'

/** A picture as a browser decodes it: four bytes a pixel, red first. */
export interface Pixels {
  readonly width: number
  readonly height: number
  readonly rgba: Uint8Array
}

type Colour = readonly [red: number, green: number, blue: number]

/** Screens have few colours; what else there is are soft edges, and those may move a little. */
const MAX_COLOURS = 96
/** The most frequent ones are kept as they are: grounds and texts, alike as they may be. */
const KEPT_COLOURS = 32
/** Of the others, those nearer than this are taken for one when the palette is chosen: squared distance. */
const NEAR = 150

/**
 * Writes a PNG with a palette, a third or less of what a browser writes of the same screen. Transparency is not kept.
 * Format: https://www.w3.org/TR/png-3/
 */
export function encodeSmallPng({ width, height, rgba }: Pixels): Buffer {
  const counts = countColours(rgba)
  const palette = choosePalette(counts)
  const indexes = new Map([...counts.keys()].map((key) => [key, nearest(palette, unpack(key))]))
  const lines = Buffer.alloc((width + 1) * height)
  for (let y = 0, from = 0, to = 0; y < height; y++) {
    lines[to++] = 0
    for (let x = 0; x < width; x++, from += 4) lines[to++] = indexes.get(pack(rgba, from)) ?? 0
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(width, 0)
  header.writeUInt32BE(height, 4)
  // Eight bits a pixel, colours from a palette.
  header.set([8, 3], 8)
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', header),
    chunk('PLTE', Buffer.from(palette.flat())),
    chunk('IDAT', deflateSync(lines, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const whole = Buffer.alloc(body.length + 8)
  whole.writeUInt32BE(data.length, 0)
  whole.set(body, 4)
  whole.writeUInt32BE(crc32(body), body.length + 4)
  return whole
}

const pack = (rgba: Uint8Array, at: number): number =>
  ((rgba[at] ?? 0) << 16) | ((rgba[at + 1] ?? 0) << 8) | (rgba[at + 2] ?? 0)
const unpack = (key: number): Colour => [key >> 16, (key >> 8) & 255, key & 255]

function countColours(rgba: Uint8Array): Map<number, number> {
  const counts = new Map<number, number>()
  for (let at = 0; at < rgba.length; at += 4) {
    const key = pack(rgba, at)
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return counts
}

/** The most frequent colours; then those that are near no other, and at last the nearer ones. */
function choosePalette(counts: ReadonlyMap<number, number>): Colour[] {
  const byCount = [...counts].sort(([, a], [, b]) => b - a).map(([key]) => unpack(key))
  const palette: Colour[] = byCount.slice(0, KEPT_COLOURS)
  for (let near = NEAR; palette.length < MAX_COLOURS && near >= 1; near /= 4) {
    for (const colour of byCount) {
      if (palette.length === MAX_COLOURS) break
      if (palette.every((each) => distance(each, colour) > near)) palette.push(colour)
    }
  }
  return palette
}

function nearest(palette: readonly Colour[], colour: Colour): number {
  let best = 0
  for (let index = 1; index < palette.length; index++) {
    if (distance(palette[index] ?? colour, colour) < distance(palette[best] ?? colour, colour)) best = index
  }
  return best
}

function distance(a: Colour, b: Colour): number {
  return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 + (a[2] - b[2]) ** 2
}
