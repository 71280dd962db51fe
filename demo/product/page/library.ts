import { byId, whole } from './dom.ts'

const WIDTH = 132
const MAX_SHOWN = 12

/** Puts a small copy of the picture on the shelf, newest first. */
export function keepCopy(picture: HTMLCanvasElement, bytes: number): void {
  const copy = document.createElement('canvas')
  copy.width = WIDTH
  copy.height = Math.round((WIDTH * picture.height) / picture.width)
  copy.getContext('2d')?.drawImage(picture, 0, 0, copy.width, copy.height)
  copy.setAttribute('role', 'img')
  copy.setAttribute('aria-label', 'A kept picture')
  const note = document.createElement('span')
  note.className = 'quiet'
  note.textContent = `${whole(Math.ceil(bytes / 1_000))} kB`
  const item = document.createElement('li')
  item.append(copy, note)
  const shelf = byId('library')
  shelf.prepend(item)
  while (shelf.children.length > MAX_SHOWN) shelf.lastElementChild?.remove()
  byId('library-empty').hidden = true
}
