import { expect, test } from 'vitest'
import { systemClock } from '../../helper/ports/clock.ts'
import { createThreadDecoder } from '../../helper/ports/thread-decoder.ts'
import { silentLogger } from '../../mesh/base/index.ts'
import { bundle } from '../kit/bundle.ts'
import { decoderContract, honestUpdate } from './decoder.contract.ts'

const create = async (): Promise<ReturnType<typeof createThreadDecoder>> =>
  createThreadDecoder({ clock: systemClock, log: silentLogger }, await bundle('helper/ports/decode-worker.ts'))

decoderContract('in a thread of the helper', create)

test('an update that takes too long kills its thread, and the next gets a fresh one', async () => {
  const file = new URL(
    `data:text/javascript,${encodeURIComponent(`
    import { parentPort } from 'node:worker_threads'
    parentPort.postMessage({ type: 'ready' })
    parentPort.on('message', (update) => { if (update.length === 1) for (;;); parentPort.postMessage({ type: 'decoded', decoded: { structs: [], deletes: update.length } }) })
  `)}`,
  )
  const decoder = createThreadDecoder({ clock: systemClock, log: silentLogger }, file)
  const started = performance.now()
  await expect(decoder.decode(new Uint8Array(1))).rejects.toMatchObject({ code: 'timeout' })
  expect(performance.now() - started).toBeLessThan(2_000)
  expect((await decoder.decode(new Uint8Array(2))).deletes).toBe(2)
  await decoder.close()
})

test('an update that eats all memory kills its thread, and the next gets a fresh one', async () => {
  const file = new URL(
    `data:text/javascript,${encodeURIComponent(`
    import { parentPort } from 'node:worker_threads'
    parentPort.postMessage({ type: 'ready' })
    parentPort.on('message', (update) => {
      if (update.length === 1) { const all = []; for (;;) all.push(new Array(1e6).fill(all.length)) }
      parentPort.postMessage({ type: 'decoded', decoded: { structs: [], deletes: update.length } })
    })
  `)}`,
  )
  const decoder = createThreadDecoder({ clock: systemClock, log: silentLogger }, file)
  await expect(decoder.decode(new Uint8Array(1))).rejects.toMatchObject({
    code: expect.stringMatching(/^(too-large|timeout)$/),
  })
  expect((await decoder.decode(new Uint8Array(2))).deletes).toBe(2)
  await decoder.close()
})

test('the bundled worker answers within milliseconds', async () => {
  const decoder = await create()
  await decoder.decode(honestUpdate())
  const started = performance.now()
  for (let index = 0; index < 500; index++) await decoder.decode(honestUpdate())
  const eachMs = (performance.now() - started) / 500
  console.log(`a decode through the thread takes ${eachMs.toFixed(3)} ms`)
  expect(eachMs).toBeLessThan(20)
  await decoder.close()
})
