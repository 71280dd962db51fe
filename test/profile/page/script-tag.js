// A page's own script, without a build: it records from its first line on, wherever the library is by then.
globalThis.violations = []
document.addEventListener('securitypolicyviolation', ({ violatedDirective }) => violations.push(violatedDirective))

const schema = {
  '~standard': {
    version: 1,
    vendor: 'by hand',
    validate: (value) => (typeof value?.n === 'number' ? { value } : { issues: [{ message: 'n must be a number' }] }),
  },
}
const data = { n: 1 }
globalThis.receipts = [
  metertapQueue.record('calls', data),
  metertapQueue.record('calls', { n: 2 }, { at: 5_000, idempotencyKey: 'order-7' }),
  metertapQueue.record('calls', { n: 'three' }),
  metertapQueue.record('nothing', {}),
  metertapQueue.record('calls', { n: () => 4 }),
]
data.n = 'changed since'
globalThis.recordedAtMs = Date.now()

metertapQueue.start(({ createAgent, defineMeter }) => {
  globalThis.arrivedAtMs = Date.now()
  globalThis.usage = createAgent({
    relay: location.origin,
    token: () => fetch('/usage-token').then((answer) => answer.text()),
    meters: [defineMeter('calls', schema)],
    flushIntervalMs: 100,
  })
  return usage
})
