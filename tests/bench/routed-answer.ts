import { fork } from 'node:child_process'
import { asId, MeshError } from '../../mesh/base/index.ts'
import { hasChromium, startChromium } from '../kit/chromium.ts'
import type { PeerPage } from '../kit/peer-page/peer-page.ts'
import { servePeerPage } from '../kit/peer-page/serve.ts'
import { startBenchHelper } from './bench-helper.ts'
import type { AskerCommand } from './asker.ts'
import { answerFigures, type Benchmark, type Figure } from './figures.ts'
import { measureAnswer, type Measured } from './measure.ts'

const ROUNDS = 24
const WARM_UP_ROUNDS = 2
const MAX_TOKENS = 96

declare global {
  // set by the bare peer page
  var peer: PeerPage
}

/** One way to ask; every way asks the same engine process, one after another. */
interface Way {
  readonly name: string
  ask(text: string): Promise<Measured>
  close(): Promise<void>
}

/**
 * What the mesh costs: the same questions to the same engine process, asked of
 * the Engine contract directly, from a second node process, and from a browser tab.
 * Rounds are interleaved, so that whatever else the machine does meets all of them.
 */
export const routedAnswer: Benchmark = {
  name: 'routed answer',
  async run({ say }) {
    const helper = await startBenchHelper()
    const { engines } = helper
    const ways: Way[] = [directWay(), await nodeWay(await helper.invite())]
    if (hasChromium) ways.push(await tabWay(await helper.invite()))
    else say('No Chromium: the figures of a browser tab are missing.')
    try {
      const samples = new Map<string, Measured[]>(ways.map((way) => [way.name, []]))
      for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
        for (const way of ways) {
          // another beginning each time, so that nobody profits from a prompt read before
          const measured = await way.ask(
            `${String(round)}${String(way.name.length)}: tell a long story about a lighthouse and its keeper.`,
          )
          if (round >= 0) samples.get(way.name)?.push(measured)
        }
      }
      const [direct, ...routed] = ways
      if (direct === undefined) throw new MeshError('bug', 'There is nothing to compare with.')
      const reference = { name: direct.name, samples: samples.get(direct.name) ?? [] }
      return [
        ...answerFigures(direct.name, reference.samples),
        ...routed.flatMap((way): Figure[] => answerFigures(way.name, samples.get(way.name) ?? [], reference)),
      ]
    } finally {
      await Promise.all(ways.map((way) => way.close()))
      await helper.stop()
    }

    function directWay(): Way {
      return {
        name: 'engine contract, called in the helper',
        ask(text) {
          const model = engines.models()[0]?.id ?? asId('')
          const request = {
            model,
            messages: [{ role: 'user' as const, content: text }],
            sampling: { temperature: 0, maxTokens: MAX_TOKENS },
          }
          return measureAnswer(engines.generate(request, { signal: new AbortController().signal }))
        },
        close: () => Promise.resolve(),
      }
    }
  },
}

async function nodeWay(url: string): Promise<Way> {
  const child = fork(new URL('./asker.js', import.meta.url), { stdio: 'inherit' })
  const order = (command: AskerCommand): Promise<unknown> =>
    new Promise((resolve, reject) => {
      child.once('message', (reply: { value?: unknown; error?: string }) => {
        if (reply.error === undefined) resolve(reply.value)
        else reject(new MeshError('bug', reply.error))
      })
      child.send(command)
    })
  await order({ do: 'join', url })
  return {
    name: 'routed, helper to node peer',
    ask: (text) => order({ do: 'ask', text, maxTokens: MAX_TOKENS }) as Promise<Measured>,
    async close() {
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.disconnect()
      await gone
    },
  }
}

async function tabWay(url: string): Promise<Way> {
  const site = await servePeerPage()
  const browser = await startChromium()
  const { page } = await browser.device()
  await page.goto(site.url)
  await page.waitForFunction(() => 'peer' in globalThis)
  await page.evaluate(() => globalThis.peer.start('Tab'))
  await page.evaluate((link) => globalThis.peer.join(link), url)
  return {
    name: 'routed, helper to Chromium tab',
    async ask(text) {
      const answer = await page.evaluate(([question, maxTokens]) => globalThis.peer.measure(question, maxTokens), [
        text,
        MAX_TOKENS,
      ] as const)
      return answer
    },
    async close() {
      await browser.close()
      await site.close()
    },
  }
}
