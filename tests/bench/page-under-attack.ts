import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { MeshError, type DeviceId } from '../../mesh/base/index.ts'
import type { AdversaryRole } from '../kit/adversary/index.ts'
import { startChromium, type BrowserDevice, type TestBrowser } from '../kit/chromium.ts'
import { writeTinyGguf } from '../kit/gguf.ts'
import { makeTempDir, startHelper, type HelperProcess } from '../kit/helper-process.ts'
import { until } from '../kit/wait.ts'
import {
  addressesOf,
  ATTACK_MS,
  ATTACK_ROLES,
  busyOf,
  invite,
  memoryOf,
  MIB,
  NOBODY,
  sleep,
  startAttack,
  startCalm,
  untilCalm,
} from './attack-scene.ts'
import { compare, type Benchmark, type Figure } from './figures.ts'
import { percentile } from './measure.ts'

const WARM_ASKS = 5
const PAUSE_MS = 250
/** Roles that nobody removes: they are not in the mesh. */
const OUTSIDE: readonly AdversaryRole[] = ['stranger', 'link-holder', 'removed']

/**
 * One attacker at each role does everything it can to a page, over WebRTC where it may
 * and through the helper where it may not, while a person goes on asking on it and reading
 * the same chat on another page of theirs: what that costs the person, and what is left of
 * it afterwards. The built page, real browsers, a real helper. Linux only.
 */
export const pageUnderAttack: Benchmark = {
  name: 'a page under attack',
  async run({ say }) {
    const models = await makeTempDir('plexus-attack-')
    const model = join(models.path, 'tiny.gguf')
    await writeTinyGguf(model, { says: 'abcdefghij', ends: true, contextTokens: 16_384 })
    const helper = await startHelper({ model, args: ['--name', 'Helper'] })
    const [browser, other] = [await startChromium(), await startChromium()]
    const figures: Figure[] = []
    const add = (name: string, value: number, unit: Figure['unit'], samples = 1): void => {
      figures.push({ name, value: Math.round(value * 100) / 100, unit, samples })
    }
    const against = (name: string, value: number, reference: NonNullable<Figure['reference']>, samples = 1): void => {
      figures.push(compare(name, value, 'ms', reference, samples))
    }
    try {
      const { device: asks, id, tookMs: firstJoinMs } = await joinBy(browser, helper)
      const { device: reads } = await joinBy(other, helper)
      const scene = startScene(asks.page, reads.page)
      await scene.newChat()
      const pids = await renderersOf(browser)
      await scene.rounds(WARM_ASKS)
      const firstLoadMs = await scene.reload()
      const diskBefore = await diskOf(asks.page)
      /** What a page on which somebody only asks takes in the same time, with a chat that grows as long: the reference. */
      let calm: { readonly askMs: number; readonly chatMs: number; readonly growth: number } | undefined

      for (const role of [NOBODY, ...ATTACK_ROLES] as const) {
        say(`${role} attacks for ${String(ATTACK_MS / 1_000)} s`)
        await scene.newChat()
        const memoryBefore = await memoryOfAll(pids)
        let memoryMost = memoryBefore
        const [door] = addressesOf(helper)
        const reached = [`${door ?? ''}/p2p-circuit/webrtc/p2p/${id}`, `${door ?? ''}/p2p-circuit/p2p/${id}`]
        const attack = role === NOBODY ? startCalm() : await startAttack(role, helper, reached)
        const seen: Round[] = []
        const [busyBefore, attackedAt] = [await busyOf(pids), performance.now()]
        while (!attack.isOver()) {
          seen.push(await scene.round())
          memoryMost = Math.max(memoryMost, await memoryOfAll(pids))
          await sleep(PAUSE_MS)
        }
        const busyPerSecond = (((await busyOf(pids)) - busyBefore) / (performance.now() - attackedAt)) * 1_000
        const { rounds, ended, device } = await attack.result
        say(`  ${String(rounds)} rounds, ${String(ended)} of them ended by the page; ${String(seen.length)} asks`)
        const askMs = percentile(
          seen.map((one) => one.askMs),
          0.95,
        )
        const chatMs = percentile(
          seen.map((one) => one.chatMs),
          0.95,
        )
        const growth = (memoryMost - memoryBefore) / MIB
        const [ask, chat] = [`ask p95 in a page, ${role} attacks`, `chat p95 to another page, ${role} attacks`]
        const memory = `memory of the page, most of it beyond before, ${role} attacks`
        add(`processor of the page each second, ${role} attacks`, busyPerSecond, 'ms')
        if (role === NOBODY || calm === undefined) {
          calm = { askMs, chatMs, growth }
          add(ask, askMs, 'ms', seen.length)
          add(chat, chatMs, 'ms', seen.length)
          add(memory, growth, 'MiB', seen.length)
          continue
        }
        against(ask, askMs, { name: NOBODY, value: calm.askMs }, seen.length)
        against(chat, chatMs, { name: NOBODY, value: calm.chatMs }, seen.length)
        figures.push(compare(memory, growth, 'MiB', { name: NOBODY, value: calm.growth }, seen.length))
        if (!OUTSIDE.includes(role)) await helper.cli(['remove', device, '--json'])
        add(`until the page is calm, ${role} gone`, await untilCalm(pids), 'ms')
      }

      add('disk of the page, grown', ((await diskOf(asks.page)) - diskBefore) / MIB, 'MiB')
      against('load after it all', await scene.reload(), { name: 'the load before', value: firstLoadMs })
      const { device: next, tookMs } = await joinBy(browser, helper)
      against('join after it all', tookMs, { name: 'the first join', value: firstJoinMs })
      await next.close()
      return figures
    } finally {
      await Promise.all([browser.close(), other.close()])
      await helper.stop()
      await Promise.all([models.remove(), rm(helper.dataDir, { recursive: true, force: true })])
    }
  },
}

interface Round {
  /** From the click until the answer was whole. */
  readonly askMs: number
  /** From the click until the other page showed the question. */
  readonly chatMs: number
}

interface Scene {
  round(): Promise<Round>
  rounds(count: number): Promise<readonly Round[]>
  /** Goes on in a new chat, so that each attacker finds one of the same length. */
  newChat(): Promise<void>
  /** Loads the asking page anew. @returns ms until its chat was there */
  reload(): Promise<number>
}

/** A fresh profile that joins by a link of the helper; ms from the click until it was in. */
async function joinBy(
  browser: TestBrowser,
  helper: HelperProcess,
): Promise<{ readonly device: BrowserDevice; readonly id: DeviceId; readonly tookMs: number }> {
  const known = new Set((await devicesOf(helper)).map(({ id }) => id))
  const device = await browser.device()
  await device.page.goto(await invite(helper))
  const join = device.page.getByRole('button', { name: /^Join/ })
  await join.waitFor()
  const startedAt = performance.now()
  await join.click()
  await device.page.getByRole('textbox', { name: 'Message' }).waitFor()
  const tookMs = performance.now() - startedAt
  const row = (await devicesOf(helper)).find(({ id }) => !known.has(id))
  if (row === undefined) throw new MeshError('bug', 'The helper does not list the page that joined.')
  return { device, id: row.id, tookMs }
}

async function devicesOf(helper: HelperProcess): Promise<readonly { readonly id: DeviceId }[]> {
  return (await helper.cli(['devices', '--json'])).json as readonly { readonly id: DeviceId }[]
}

/** Chats that are open on both pages. */
function startScene(asks: Page, reads: Page): Scene {
  let chats = 0
  let count = 0
  const done = asks.locator('article[data-author="ai"][data-state="done"]')
  const round = async (): Promise<Round> => {
    count += 1
    const text = `Question ${String(chats)}.${String(count)}, please`
    await asks.getByRole('textbox', { name: 'Message' }).fill(text)
    const startedAt = performance.now()
    await asks.getByRole('button', { name: 'Send', exact: true }).click()
    const since = (): number => performance.now() - startedAt
    const shown = count === 1 ? reads.getByRole('link', { name: text }) : reads.locator('article').getByText(text)
    const [askMs, chatMs] = await Promise.all([
      until(async () => (await done.count()) >= count, { what: 'the answer', timeoutMs: 120_000 }).then(since),
      shown.first().waitFor({ timeout: 120_000 }).then(since),
    ])
    if (count === 1) await shown.first().click()
    return { askMs, chatMs }
  }
  const rounds = async (total: number): Promise<readonly Round[]> => {
    const all: Round[] = []
    for (let each = 0; each < total; each++) {
      all.push(await round())
      await sleep(PAUSE_MS)
    }
    return all
  }
  return {
    round,
    rounds,
    async newChat() {
      if (chats > 0) await asks.getByRole('link', { name: 'New chat' }).first().click()
      await until(async () => (await asks.locator('article').count()) === 0, { what: 'an empty chat' })
      chats += 1
      count = 0
      await rounds(3)
    },
    async reload() {
      const startedAt = performance.now()
      await asks.reload()
      await until(async () => (await done.count()) >= count, { what: 'the chat after a reload', timeoutMs: 120_000 })
      return performance.now() - startedAt
    },
  }
}

/** The processes that pages run in. */
async function renderersOf({ browser }: TestBrowser): Promise<readonly number[]> {
  const session = await browser.newBrowserCDPSession()
  const { processInfo } = await session.send('SystemInfo.getProcessInfo')
  return processInfo.filter(({ type }) => type === 'renderer').map(({ id }) => id)
}

async function memoryOfAll(pids: readonly number[]): Promise<number> {
  return (await Promise.all(pids.map(memoryOf))).reduce((sum, each) => sum + each, 0)
}

/** Bytes that the page keeps, as its browser counts them. */
function diskOf(page: Page): Promise<number> {
  return page.evaluate('navigator.storage.estimate().then(({ usage }) => usage ?? 0)')
}
