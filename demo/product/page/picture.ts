const PAPER = '#fbf6ea'
/** Process colours with their screen angles, as a printer would set them. */
const PLATES = [
  { colour: '#00a3d7', angle: 0.26 },
  { colour: '#e5177b', angle: 1.31 },
  { colour: '#ffc400', angle: 0 },
]
const STEP = 12

/** A small seeded generator (mulberry32): the same seed draws the same picture. */
function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Draws hills of ink as printed dots, one colour over the other. */
export function drawPicture(canvas: HTMLCanvasElement, seed: number): void {
  const context = canvas.getContext('2d')
  if (!context) return
  const random = seeded(seed)
  const { width, height } = canvas
  context.globalCompositeOperation = 'source-over'
  context.fillStyle = PAPER
  context.fillRect(0, 0, width, height)
  context.globalCompositeOperation = 'multiply'
  for (const { colour, angle } of PLATES) {
    const hills = Array.from({ length: 2 }, () => ({
      x: random() * width,
      y: random() * height,
      reach: (0.12 + random() * 0.2) * width,
    }))
    context.fillStyle = colour
    drawPlate(context, angle, (x, y) =>
      hills.reduce((ink, hill) => ink + Math.exp(-((x - hill.x) ** 2 + (y - hill.y) ** 2) / hill.reach ** 2), 0),
    )
  }
}

function drawPlate(context: CanvasRenderingContext2D, angle: number, inkAt: (x: number, y: number) => number): void {
  const { width, height } = context.canvas
  const reach = Math.hypot(width, height)
  context.beginPath()
  // The grid is turned around a corner of the picture, so it has to reach beyond the others.
  for (let v = -reach; v < reach; v += STEP) {
    for (let u = -reach; u < reach; u += STEP) {
      const x = u * Math.cos(angle) - v * Math.sin(angle)
      const y = u * Math.sin(angle) + v * Math.cos(angle)
      if (x < -STEP || y < -STEP || x > width + STEP || y > height + STEP) continue
      const radius = Math.min(STEP * 0.6, Math.sqrt(inkAt(x, y)) * STEP * 0.46)
      context.moveTo(x + radius, y)
      context.arc(x, y, radius, 0, Math.PI * 2)
    }
  }
  context.fill()
}

/** The picture as a PNG file. */
export async function toPng(canvas: HTMLCanvasElement): Promise<Blob> {
  const { promise, resolve } = Promise.withResolvers<Blob | null>()
  canvas.toBlob(resolve, 'image/png')
  const file = await promise
  if (!file) throw new Error('the browser could not make the file')
  return file
}
