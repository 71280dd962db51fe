import { createAgent } from 'metertap'
import { UsageProvider, useUsage } from 'metertap/react'
import { StrictMode, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { apiCalls } from '../meters.ts'

const create = () =>
  createAgent({
    relay: new URLSearchParams(location.search).get('relay') ?? '',
    token: () => fetch('/usage-token').then((answer) => answer.text()),
    meters: [apiCalls],
    flushIntervalMs: 200,
  })

function Export() {
  const usage = useUsage()
  const [durable, setDurable] = useState('')
  const record = async () => {
    const receipt = usage.record(apiCalls, { feature: 'export', quantity: 1 })
    setDurable(`${receipt.id} ${await receipt.durable}`)
  }
  return (
    <button type="button" onClick={record}>
      Export<output>{durable}</output>
    </button>
  )
}

createRoot(document.querySelector('#root') as HTMLElement).render(
  <StrictMode>
    <UsageProvider create={create}>
      <Export />
    </UsageProvider>
  </StrictMode>,
)
