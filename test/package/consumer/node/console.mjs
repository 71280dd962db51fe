import { createRelay } from 'metertap/relay'
import { apiCalls } from '../meters.ts'

const relay = await createRelay({
  publicUrl: 'http://127.0.0.1:9',
  store: { sqlite: './console.db' },
  origins: [],
  grants: [{ keyId: 'app', secret: 'grant-secret-of-thirty-two-bytes-or-more' }],
  upstream: { restBase: 'http://127.0.0.1:9', clientId: 'id', clientSecret: 'client-secret' },
  admin: { key: 'admin-key-of-thirty-two-bytes-or-more!!' },
  meters: [{ meter: apiCalls, upstream: { meterGlobalId: 'id', fields: { UsageIdentifier: 'id' } } }],
})
const sizes = {}
for (const file of ['', '/page.js', '/page.css', '/icon.svg']) {
  const response = await relay.adminFetch(new Request(`http://127.0.0.1:9/console${file}`))
  sizes[file] = response.ok ? (await response.text()).length : 0
}
await relay.stop()
console.log(JSON.stringify(sizes))
