import type { Browser, Page } from 'playwright'
import { type SmallApp, startSmallApp } from './small-app.ts'

/** As strict as a page can be that runs scripts of its own: no inline style either, and no string as markup or script. */
const STRICT = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

/** What a page could do to whatever stands in it. */
const HOSTILE_CSS = `
* { color: rgb(255, 0, 0) !important; font-size: 40px !important; letter-spacing: 9px !important; text-transform: uppercase; }
metertap-inspector { display: none; position: static; opacity: 0; z-index: -1; width: 9px; direction: rtl; }
button, dd, li, section, div { display: none !important; }
body { line-height: 4; text-align: right; color-scheme: only light; }
`

/** A small application whose pages are inspected, under a strict policy; /hostile has CSS that spoils whatever it can. */
export function startInspectedApp(): Promise<SmallApp> {
  const headers = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': STRICT }
  const html = (head: string, body = '') => ({
    headers,
    content: `<!doctype html><html lang="en"><meta name="viewport" content="width=device-width"><title>Inspected</title>
      <meta name="color-scheme" content="light dark">${head}<script type="module" src="/app.js"></script>
      <main><h1>A product</h1>${body}</main>`,
  })
  return startSmallApp({
    scripts: { '/app.js': 'test/profile/page/inspected-app.ts' },
    files: {
      '/strict': html(''),
      '/inline': html('', '<metertap-inspector></metertap-inspector>'),
      '/hostile': html('<link rel="stylesheet" href="/hostile.css">'),
      '/hostile.css': { content: HOSTILE_CSS, headers: { 'content-type': 'text/css' } },
    },
  })
}

export interface InspectedPage {
  readonly page: Page
  /** What the console complained of. */
  readonly complaints: string[]
}

/** A fresh profile on one of the pages. */
export async function openInspected(
  browser: Browser,
  url: string,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<InspectedPage> {
  const context = await browser.newContext(options)
  const page = await context.newPage()
  const complaints: string[] = []
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(String(error)))
  await page.goto(url)
  await page.waitForFunction(() => window.inspected !== undefined)
  return { page, complaints }
}
