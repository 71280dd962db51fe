import { byId } from './dom.ts'
import { drawDab } from './picture.ts'
import type { Ink } from './product-usage.ts'

export interface Easel {
  readonly canvas: HTMLCanvasElement
  /** A handful of dabs around one place. */
  splash(): void
}

const SPLASH = 24
const KEY_STEP = 12
/** Pixels of the picture between two dabs of one stroke. */
const DAB_DISTANCE = 9

interface Place {
  readonly x: number
  readonly y: number
}

/** Paints by pointer and by keys. `onDab` hears of every dab: that is often. */
export function openEasel(onDab: (ink: Ink) => void): Easel {
  const canvas = byId<HTMLCanvasElement>('picture')
  let cursor: Place = { x: canvas.width / 2, y: canvas.height / 2 }
  const ink = (): Ink => document.querySelector<HTMLInputElement>('[name=ink]:checked')?.value as Ink
  const dab = (place: Place): void => {
    cursor = place
    drawDab(canvas, place, ink())
    onDab(ink())
  }
  const placeOf = ({ clientX, clientY }: PointerEvent): Place => {
    const { left, top, width, height } = canvas.getBoundingClientRect()
    return { x: ((clientX - left) / width) * canvas.width, y: ((clientY - top) / height) * canvas.height }
  }
  canvas.addEventListener('pointerdown', (event) => {
    canvas.setPointerCapture(event.pointerId)
    dab(placeOf(event))
  })
  canvas.addEventListener('pointermove', (event) => {
    if (!canvas.hasPointerCapture(event.pointerId)) return
    const place = placeOf(event)
    if (Math.hypot(place.x - cursor.x, place.y - cursor.y) >= DAB_DISTANCE) dab(place)
  })
  // A button of its own has the keys: a canvas is nothing that screen readers can work with.
  byId('brush').addEventListener('keydown', (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key]
    if (!step && event.key !== ' ') return
    event.preventDefault()
    const [dx = 0, dy = 0] = step ?? []
    dab({ x: wrap(cursor.x + dx * KEY_STEP, canvas.width), y: wrap(cursor.y + dy * KEY_STEP, canvas.height) })
  })
  return {
    canvas,
    splash() {
      const centre = { x: Math.random() * canvas.width, y: Math.random() * canvas.height }
      for (let each = 0; each < SPLASH; each++) {
        const reach = Math.sqrt(Math.random()) * 80
        const angle = Math.random() * 2 * Math.PI
        dab({ x: centre.x + reach * Math.cos(angle), y: centre.y + reach * Math.sin(angle) })
      }
    },
  }
}

function wrap(value: number, size: number): number {
  return (value + size) % size
}
