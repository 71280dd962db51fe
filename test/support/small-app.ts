import { build } from 'esbuild'
import { type Served, serve } from '../../demo/world/serve.ts'
import { TinyRelay } from './tiny-relay.ts'

export interface SmallAppOptions {
  /** Scripts by their path, such as '/app.js': the source files, bundled as modules. */
  readonly scripts: Readonly<Record<string, string>>
  /** Pages and other files by their path. */
  readonly files?: Readonly<Record<string, { readonly content: string; readonly headers: Record<string, string> }>>
  readonly host?: string
}

export interface SmallApp {
  readonly relay: TinyRelay
  readonly url: string
  /** Requests in order, `POST /v1/events` and the like. */
  readonly seen: readonly string[]
  /** Stops listening, as a server that is down, or listens again on the same port. */
  setDown(isDown: boolean): Promise<void>
  close(): Promise<void>
}

const HTML = { 'content-type': 'text/html; charset=utf-8' }

/** A page at `/` that runs `/app.js`, with the files that it needs, a back end that gives tokens, and a relay: one origin. */
export async function startSmallApp({ scripts, files = {}, host }: SmallAppOptions): Promise<SmallApp> {
  const bundles = new Map<string, string>()
  for (const [path, source] of Object.entries(scripts)) bundles.set(path, await bundle(source))
  const relay = new TinyRelay()
  const seen: string[] = []

  /** The server's requests are not the platform's own. */
  const toRelay = async (request: Request) =>
    relay.fetch(request.url, {
      method: request.method,
      headers: [...request.headers],
      body: await request.arrayBuffer(),
    })

  const answer = (request: Request): Response | Promise<Response> => {
    const { pathname, search } = new URL(request.url)
    seen.push(`${request.method} ${pathname}${search}`)
    if (pathname.startsWith('/v1/')) return toRelay(request)
    if (pathname === '/usage-token') return new Response('token-1')
    const script = bundles.get(pathname)
    if (script !== undefined) return new Response(script, { headers: { 'content-type': 'text/javascript' } })
    const file = files[pathname]
    if (file) return new Response(file.content, { headers: file.headers })
    if (pathname !== '/') return new Response('', { status: 404 })
    return new Response('<!doctype html><title>app</title><script type="module" src="/app.js"></script>', {
      headers: HTML,
    })
  }

  let served: Served | undefined = await serve(answer, 0, host)
  const { url } = served
  return {
    relay,
    url,
    seen,
    async setDown(isDown) {
      if (isDown) await served?.close()
      served = isDown ? undefined : (served ?? (await serve(answer, Number(new URL(url).port), host)))
    },
    async close() {
      await served?.close()
    },
  }
}

async function bundle(source: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [source],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    logLevel: 'error',
  })
  return outputFiles[0]?.text ?? ''
}
