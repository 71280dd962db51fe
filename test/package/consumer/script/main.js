// No bundler and no module: the library is window.metertap, and what is recorded before it has come waits in the queue.
window.metertapQueue.start(({ createAgent, defineMeter }) => {
  // Any Standard Schema does; one that a page without a bundler can write itself.
  const schema = { '~standard': { version: 1, vendor: 'page', validate: (value) => ({ value }) } }
  return createAgent({
    relay: new URLSearchParams(location.search).get('relay'),
    token: () => fetch('/usage-token').then((answer) => answer.text()),
    meters: [defineMeter('api_calls', schema)],
    flushIntervalMs: 200,
  })
})
window.metertapQueue.record('api_calls', { feature: 'script', quantity: 3 }).receipt.then(async ({ id, durable }) => {
  document.querySelector('output').textContent = `${id} ${await durable}`
})
