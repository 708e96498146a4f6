import { afterAll, beforeAll, expect, test } from 'vitest'
import * as Y from 'yjs'
import { systemClock } from '../../helper/ports/clock.ts'
import { createThreadDecoder } from '../../helper/ports/thread-decoder.ts'
import { isMeshError, randomInt, silentLogger, type Random } from '../../mesh/base/index.ts'
import { readEnvelope, verifyEnvelope } from '../../mesh/sync/envelope.ts'
import type { Decoder } from '../../mesh/sync/index.ts'
import { bundle } from '../kit/bundle.ts'
import { createSeededRandom } from '../kit/random.ts'
import { forge } from '../kit/sync-forge.ts'
import { createSyncWorld } from '../kit/sync-world.ts'

const IS_FULL = process.env['PLEXUS_TEST_FULL'] === '1'
const MUTANTS = IS_FULL ? 100_000 : 2_000
const TIME_MS = IS_FULL ? 3_600_000 : 120_000

let decoder: Decoder
beforeAll(async () => {
  decoder = createThreadDecoder(
    { clock: systemClock, log: silentLogger },
    await bundle('helper/ports/decode-worker.ts'),
  )
})
afterAll(() => decoder.close())

/** A few bytes changed, cut, repeated or made huge. */
function mutate(random: Random, original: Uint8Array): Uint8Array {
  const bytes = [...original]
  for (let count = 1 + randomInt(random, 4); count > 0; count--) {
    const at = randomInt(random, bytes.length + 1)
    const way = randomInt(random, 5)
    if (way === 0) bytes[at] = randomInt(random, 256)
    else if (way === 1) bytes.splice(at, 1 + randomInt(random, 8))
    else if (way === 2) bytes.splice(at, 0, ...random.bytes(1 + randomInt(random, 8)))
    else if (way === 3) bytes.splice(at, 0, 255, 255, 255, 255, 127)
    else bytes.splice(at, 0, ...bytes.slice(0, randomInt(random, bytes.length + 1)))
  }
  return new Uint8Array(bytes)
}

function seeds(): Uint8Array[] {
  const plain = new Y.Doc()
  for (let index = 0; index < 5; index++) plain.getMap('ops').set(`a-${String(index)}`, new Uint8Array(10))
  const rich = new Y.Doc()
  rich.getText('t').insert(0, 'hello')
  rich.getText('t').format(0, 2, { bold: true })
  rich.getArray('a').insert(0, [1, { a: [new Uint8Array(3)] }, 'x'])
  rich.getMap('m').set('sub', new Y.Map())
  rich.getText('t').delete(1, 2)
  return [Y.encodeStateAsUpdate(plain), Y.encodeStateAsUpdate(rich)]
}

test(
  `${String(MUTANTS)} mutants of updates end with an answer or a known error, and the decoder lives on`,
  async () => {
    const random = createSeededRandom('updates')
    const originals = seeds()
    let worstMs = 0
    for (let index = 0; index < MUTANTS; index++) {
      const mutant = mutate(random, originals[index % 2] as Uint8Array)
      const started = performance.now()
      await decoder.decode(mutant).catch((error: unknown) => {
        const isKnown = (['malformed', 'timeout', 'too-large'] as const).some((code) => isMeshError(error, code))
        if (!isKnown) throw error
      })
      worstMs = Math.max(worstMs, performance.now() - started)
    }
    console.log(`worst decode ${worstMs.toFixed(1)} ms of ${String(MUTANTS)}`)
    // two tries of at most 500 ms each, and a fresh worker for each
    expect(worstMs).toBeLessThan(6_000)
    expect((await decoder.decode(originals[0] as Uint8Array)).structs.length).toBe(5)
  },
  TIME_MS,
)

/** An envelope, or undefined for what is refused by a known error. */
function readOrNot(bytes: Uint8Array): ReturnType<typeof readEnvelope> | undefined {
  try {
    return readEnvelope(bytes)
  } catch (error) {
    if ((['malformed', 'unsupported', 'too-large'] as const).some((code) => isMeshError(error, code))) return undefined
    throw error
  }
}

/** How long reading takes, in ms. */
function read(bytes: Uint8Array): number {
  const started = performance.now()
  readOrNot(bytes)
  return performance.now() - started
}

test(
  `${String(MUTANTS)} mutants of envelopes are refused in milliseconds, by a known error`,
  async () => {
    const world = await createSyncWorld('fuzz', 1, { online: false })
    const [original] = await forge({ update: new Uint8Array(200) }, (world.peers[0] as (typeof world.peers)[0]).ports)
    const random = createSeededRandom('envelopes')
    let worstMs = 0
    for (let index = 0; index < MUTANTS; index++) {
      const mutant = mutate(random, original as Uint8Array)
      if (Buffer.from(mutant).equals(original as Uint8Array)) continue
      const tookMs = read(mutant)
      // once more: what a busy machine took is not what the bytes take
      worstMs = Math.max(worstMs, tookMs > 10 ? Math.min(tookMs, read(mutant)) : tookMs)
      const envelope = readOrNot(mutant)
      if (envelope !== undefined) await expect(verifyEnvelope(envelope)).rejects.toMatchObject({ code: 'integrity' })
    }
    console.log(`worst envelope ${worstMs.toFixed(1)} ms`)
    expect(worstMs).toBeLessThan(20)
    await world.stop()
  },
  TIME_MS,
)
