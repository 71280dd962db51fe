import { createAgent } from '../../src/electron-renderer.ts'
import { pagesExported } from './meters.ts'

const usage = createAgent({ meters: [pagesExported] })

document.querySelector('button')?.addEventListener('click', async () => {
  const receipt = usage.record(pagesExported, { format: 'pdf', pages: 3 })
  const line = document.createElement('li')
  document.querySelector('ul')?.append(line)
  line.textContent = receipt.error
    ? receipt.error.message
    : `${receipt.id} survives the death of the ${await receipt.durable}.`
})
