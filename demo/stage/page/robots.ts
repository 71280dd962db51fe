import { byId } from '../../product/page/dom.ts'

const TABS = 5

/** Opens tabs that work by themselves; where the browser takes them for pop-ups, frames in this page. Says what it did. */
export function openRobots(): string {
  const opened = Array.from({ length: TABS }, () => window.open('/robot.html', '_blank'))
  const tabs = opened.filter((each) => each !== null).length
  for (let frame = tabs; frame < TABS; frame++) {
    const element = document.createElement('iframe')
    element.src = '/robot.html'
    element.title = `A page that works by itself, ${frame + 1}`
    byId('robots').append(element)
  }
  if (tabs === TABS) return `${TABS} tabs work by themselves: each records 200 exports, one of all tabs sends.`
  const some = tabs === 1 ? '1 tab' : `${tabs} tabs`
  return `${some} and ${TABS - tabs} frames work by themselves: your browser took the others for pop-ups.`
}
