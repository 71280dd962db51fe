/*
 * The main process of a small Electron application that meters its pages' work. To run it with your own Electron:
 *
 *   npm run build
 *   npx esbuild demo/electron/main.ts --bundle --platform=node --format=esm --external:electron --outfile=.demo/electron/main.mjs
 *   npx esbuild demo/electron/page.ts --bundle --outfile=.demo/electron/page.js
 *   cp demo/electron/page.html .demo/electron/index.html
 *   METERTAP_RELAY=<your relay> METERTAP_TOKEN=<a token of it> npx electron .demo/electron/main.mjs
 *
 * The relay has to know the meter pages_exported. Without a relay, events wait in the application's userData folder.
 *
 * It is checked against Electron's types, and its parts are tested on Node and in Chromium. No Electron has run it here.
 *
 * In your application import from 'metertap/electron-main' and 'metertap/electron-renderer'.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { app, BrowserWindow, ipcMain, net, powerMonitor, protocol } from 'electron'
import { createAgent } from '../../src/electron-main.ts'
import { pagesExported } from './meters.ts'

const SCHEME = 'acme'
const ORIGIN = `${SCHEME}://app`
const here = import.meta.dirname

// A scheme of one's own, with an origin that nobody else has; with file:// every file of the machine would be alike.
protocol.registerSchemesAsPrivileged([
  { scheme: SCHEME, privileges: { standard: true, secure: true, supportFetchAPI: true } },
])

const usage = createAgent({
  ...{ app, ipcMain, powerMonitor, net },
  relay: process.env.METERTAP_RELAY ?? 'https://usage.acme.com',
  // Your back end gives it, for whoever is signed in.
  token: () => process.env.METERTAP_TOKEN ?? '',
  meters: [pagesExported],
  allowedOrigins: [ORIGIN],
  onPageRefused: ({ code, origin }) => console.warn(`A page of ${origin} was refused: ${code}.`),
})
usage.on('trouble', ({ code, detail }) => console.warn(`Usage waits (${code}): ${detail}`))

async function openWindow(): Promise<void> {
  protocol.handle(SCHEME, (request) => {
    const name = new URL(request.url).pathname === '/page.js' ? 'page.js' : 'index.html'
    return net.fetch(pathToFileURL(join(here, name)).href)
  })
  const window = new BrowserWindow({
    webPreferences: {
      // In your application: fileURLToPath(import.meta.resolve('metertap/electron-preload.cjs')).
      preload: join(here, '../../dist/electron-preload.cjs'),
      sandbox: true,
      contextIsolation: true,
    },
  })
  await window.loadURL(`${ORIGIN}/`)
}

// Not awaited: Electron gets ready when this module is done.
void app.whenReady().then(openWindow)
app.on('window-all-closed', () => app.quit())
