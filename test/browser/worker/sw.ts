import { drainUsage } from '../../../src/service-worker.ts'
import { tokenOf } from '../../contract/agent-kit.ts'
import { fetchOverLine } from '../../support/relay-line.ts'

// The test names outbox and line in the script's address: nothing else is there when a worker starts.
const given = new URL(location.href).searchParams
const outbox = given.get('outbox') ?? ''
globalThis.fetch = fetchOverLine(`line-${outbox}`)
const token = () => ({ token: tokenOf('a'), account: 'a' })
drainUsage({ relay: 'https://relay.test', token, outbox, onFetch: given.has('fetch') })
