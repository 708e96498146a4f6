import { asId, isAbort, MeshError, type ModelId } from '../../mesh/base/index.ts'
import type { EngineHost } from '../../mesh/engine/index.ts'
import { startPeer } from '../kit/peers.ts'
import { startBenchHelper } from './bench-helper.ts'
import { compare, type Benchmark, type Figure } from './figures.ts'
import { percentile } from './measure.ts'

const ROUNDS = 30
const WARM_UP_ROUNDS = 2
/** About 1,500 tokens. */
const LONG_PROMPT_WORDS = 1_100

/** When the person presses Stop. */
type Moment = 'while the prompt is read' | 'while it writes'

type Ask = (text: string, signal: AbortSignal) => AsyncIterable<{ readonly type: string }>

/**
 * How long the engine works on after Stop: from the press to the moment its
 * sequence is free again, on another device and directly in the helper.
 */
export const stopLatency: Benchmark = {
  name: 'stop latency',
  async run() {
    const helper = await startBenchHelper()
    const asker = await startPeer('Asker')
    try {
      await asker.mesh.join(await helper.invite())
      const model = helper.engines.models()[0]?.id ?? asId<ModelId>('')
      const sampling = { temperature: 0, maxTokens: 400 }
      const messages = (content: string) => [{ role: 'user' as const, content }]
      const direct: Ask = (text, signal) =>
        helper.engines.generate({ model, messages: messages(text), sampling }, { signal })
      const routed: Ask = (text, signal) => asker.mesh.ask({ messages: messages(text), sampling }, { signal })
      const figures: Figure[] = []
      for (const moment of ['while the prompt is read', 'while it writes'] as const) {
        const samples = { direct: [] as number[], routed: [] as number[] }
        for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
          for (const [name, ask] of [
            ['direct', direct],
            ['routed', routed],
          ] as const) {
            const ms = await stopOnce(helper.engines, ask, moment, `${String(round)} ${name} ${moment}`)
            if (round >= 0) samples[name].push(ms)
          }
        }
        for (const fraction of [0.5, 0.95]) {
          const label = `stop ${moment} p${String(fraction * 100)}`
          const reference = { name: `engine contract: ${label}`, value: percentile(samples.direct, fraction) }
          figures.push(compare(`routed: ${label}`, percentile(samples.routed, fraction), 'ms', reference, ROUNDS))
        }
      }
      return figures
    } finally {
      await asker.stop()
      await helper.stop()
    }
  },
}

async function stopOnce(engines: EngineHost, ask: Ask, moment: Moment, unique: string): Promise<number> {
  const controller = new AbortController()
  const reading = moment === 'while the prompt is read'
  // another beginning each time, so that nothing of it was read before
  const text = reading
    ? `${unique} ${'lighthouse '.repeat(LONG_PROMPT_WORDS)}`
    : `${unique}: tell a long story about a lighthouse.`
  let stoppedAt = 0
  try {
    for await (const event of ask(text, controller.signal)) {
      const isMoment = reading ? event.type === 'reading' || event.type === 'phase' : event.type === 'text'
      // a phase may be that of connecting: the engine has to be at work
      if (!isMoment || stoppedAt > 0 || engines.load().busy === 0) continue
      stoppedAt = performance.now()
      controller.abort()
    }
  } catch (error) {
    if (!isAbort(error)) throw error
  }
  if (stoppedAt === 0) throw new MeshError('bug', 'The answer was over before it could be stopped.')
  await idle(engines)
  return performance.now() - stoppedAt
}

function idle(engines: EngineHost): Promise<void> {
  if (engines.load().busy === 0) return Promise.resolve()
  return new Promise((resolve) => {
    const end = engines.changes.subscribe(() => {
      if (engines.load().busy > 0) return
      end()
      resolve()
    })
  })
}
