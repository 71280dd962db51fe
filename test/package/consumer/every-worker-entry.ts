// The same for entries that run on Cloudflare Workers, with the platform's own types.
export * as relayWorker from 'metertap/relay-worker'
export * as worker from 'metertap/worker'
