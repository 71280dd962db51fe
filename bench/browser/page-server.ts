import { Hono } from 'hono'
import { type Served, serve } from '../../demo/world/serve.ts'
import type { PageScripts } from './bundle.ts'

const HTML = '<!doctype html><meta charset="utf-8"><title>bench</title><script type="module" src="/page.js"></script>'

/** Serves a subject's page, and the token that metertap's page asks for. */
export function servePage(
  scripts: PageScripts,
  token: () => string | Promise<string> = () => 'token',
): Promise<Served> {
  const app = new Hono()
  app.get('/', (c) => c.html(HTML))
  app.get('/root', (c) => c.html('<!doctype html><title>root</title>'))
  for (const [path, script] of scripts) {
    app.get(path, (c) => c.body(script, 200, { 'content-type': 'text/javascript; charset=utf-8' }))
  }
  app.get('/token', async (c) => c.text(await token()))
  return serve((request) => app.fetch(request))
}
