const PAPER = '#fbf6ea'
/** Process colours with their screen angles, as a printer would set them. */
const PLATES = [
  { ink: 'cyan', angle: 0.26 },
  { ink: 'magenta', angle: 1.31 },
  { ink: 'yellow', angle: 0 },
] as const
const STEP = 12
const INKS = { cyan: '#00a3d7', magenta: '#e5177b', yellow: '#ffc400' } as const
const DAB_RADIUS = 7
/** A picture's width by its height, so that the sun is round. */
const WIDE = 880 / 330

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

/** How much of each ink a place gets, 0 to 1; places are fractions of the picture. */
type Scene = (x: number, y: number) => Readonly<Record<keyof typeof INKS, number>>

/** A sun over ridges, in the order from the sky to what is near. */
function inventScene(random: () => number): Scene {
  const sun = { x: 0.2 + random() * 0.6, y: 0.34 + random() * 0.1, reach: 0.2 + random() * 0.06 }
  const ridges = [0.56, 0.7, 0.84].map((height) => {
    const [near, far] = [random() * 7, random() * 7]
    return (x: number): number => height + 0.07 * Math.sin(x * 7 + near) + 0.03 * Math.sin(x * 17 + far)
  })
  return (x, y) => {
    const depth = ridges.filter((ridge) => y > ridge(x)).length
    if (depth > 0) return { cyan: 0.25 + depth * 0.22, magenta: depth === 2 ? 0.3 : 0, yellow: depth === 3 ? 0.6 : 0 }
    const isSun = Math.hypot((x - sun.x) * WIDE, y - sun.y) < sun.reach
    return { cyan: 0, magenta: isSun ? 0.95 - y * 0.9 : 0, yellow: isSun ? 0.75 : y * y * 0.55 }
  }
}

/** Prints a landscape as dots, one ink over the other; the same seed prints the same one. */
export function drawPicture(canvas: HTMLCanvasElement, seed: number): void {
  const context = canvas.getContext('2d')
  if (!context) return
  const { width, height } = canvas
  const sceneAt = inventScene(seeded(seed))
  context.globalCompositeOperation = 'source-over'
  context.fillStyle = PAPER
  context.fillRect(0, 0, width, height)
  context.globalCompositeOperation = 'multiply'
  for (const { ink, angle } of PLATES) {
    context.fillStyle = INKS[ink]
    drawPlate(context, angle, (x, y) => sceneAt(x / width, y / height)[ink])
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
      const radius = Math.min(STEP * 0.6, Math.sqrt(inkAt(x, y)) * STEP * 0.56)
      if (radius < 1) continue
      context.moveTo(x + radius, y)
      context.arc(x, y, radius, 0, Math.PI * 2)
    }
  }
  context.fill()
}

/** One dab of the brush, over what is there. */
export function drawDab(
  canvas: HTMLCanvasElement,
  { x, y }: { readonly x: number; readonly y: number },
  ink: keyof typeof INKS,
): void {
  const context = canvas.getContext('2d')
  if (!context) return
  context.globalCompositeOperation = 'multiply'
  context.fillStyle = INKS[ink]
  context.beginPath()
  context.arc(x, y, DAB_RADIUS, 0, Math.PI * 2)
  context.fill()
}

/** The picture as a file. */
export async function toFile(canvas: HTMLCanvasElement, format: 'png' | 'jpeg' | 'webp'): Promise<Blob> {
  const { promise, resolve } = Promise.withResolvers<Blob | null>()
  canvas.toBlob(resolve, `image/${format}`)
  const file = await promise
  if (!file) throw new Error('the browser could not make the file')
  return file
}
