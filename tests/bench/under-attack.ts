import { fork } from 'node:child_process'
import { readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { MeshError } from '../../mesh/base/index.ts'
import { makeTempDir, startHelper } from '../kit/helper-process.ts'
import { writeTinyGguf } from '../kit/gguf.ts'
import type { AskerCommand } from './asker.ts'
import {
  ATTACK_MS,
  ATTACK_ROLES,
  busyMs,
  gone,
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

const CALM_ASKS = 40
const PAUSE_MS = 100
const MAX_TOKENS = 16

/**
 * One attacker at each role does everything it can to a real helper, while a person goes on
 * asking it: what that costs the person, and what is left of it afterwards. Memory and
 * processor are read where the system tells them, on Linux.
 */
export const underAttack: Benchmark = {
  name: 'under attack',
  async run({ say }) {
    const models = await makeTempDir('plexus-attack-')
    const data = await makeTempDir('plexus-attack-data-')
    const model = join(models.path, 'tiny.gguf')
    await writeTinyGguf(model, { says: 'abcdefghij', contextTokens: 2_048 })
    const freshAt = performance.now()
    let helper = await startHelper({ model, dataDir: data.path, args: ['--name', 'Helper'] })
    const freshMs = Math.round(performance.now() - freshAt)
    const firstAt = performance.now()
    const asker = await startAsker(await invite(helper))
    const firstJoinMs = Math.round(performance.now() - firstAt)
    const figures: Figure[] = []
    const add = (name: string, value: number, unit: Figure['unit'], more: Partial<Figure> = {}): void => {
      figures.push({ name, value: Math.round(value * 100) / 100, unit, samples: 1, ...more })
    }
    const against = (name: string, value: number, reference: NonNullable<Figure['reference']>, samples = 1): void => {
      figures.push(compare(name, value, 'ms', reference, samples))
    }
    try {
      const calm: number[] = []
      const [busyBefore, calmAt] = [await busyMs(helper.pid), performance.now()]
      for (let count = -4; count < CALM_ASKS; count++) {
        const tookMs = await asker.ask()
        if (count >= 0) calm.push(tookMs)
        await sleep(PAUSE_MS)
      }
      const calmMs = percentile(calm, 0.95)
      add('ask p95, calm', calmMs, 'ms', { samples: calm.length })
      const busy = (((await busyMs(helper.pid)) - busyBefore) / (performance.now() - calmAt)) * 1_000
      add('processor of the helper each second, calm', busy, 'ms')
      const diskBefore = await sizeOf(data.path)
      /** What a helper that only answers takes in the same time: its own garbage. */
      let growthCalm = 0

      for (const role of [NOBODY, ...ATTACK_ROLES] as const) {
        say(`${role} attacks for ${String(ATTACK_MS / 1_000)} s`)
        const memoryBefore = await memoryOf(helper.pid)
        let memoryMost = memoryBefore
        const attack = role === NOBODY ? startCalm() : await startAttack(role, helper)
        const asked: number[] = []
        const [busyBefore, attackedAt] = [await busyMs(helper.pid), performance.now()]
        while (!attack.isOver()) {
          asked.push(await asker.ask())
          memoryMost = Math.max(memoryMost, await memoryOf(helper.pid))
          await sleep(PAUSE_MS)
        }
        const busy = (((await busyMs(helper.pid)) - busyBefore) / (performance.now() - attackedAt)) * 1_000
        const { rounds, ended, device } = await attack.result
        say(`  ${String(rounds)} rounds, ${String(ended)} of them ended by the helper; ${String(asked.length)} asks`)
        against(`ask p95, ${role} attacks`, percentile(asked, 0.95), { name: 'calm', value: calmMs }, asked.length)
        add(`processor of the helper each second, ${role} attacks`, busy, 'ms')
        const growth = (memoryMost - memoryBefore) / MIB
        const named = `memory, most of it beyond before, ${role} attacks`
        if (role === NOBODY) add(named, (growthCalm = growth), 'MiB', { samples: asked.length })
        else figures.push(compare(named, growth, 'MiB', { name: NOBODY, value: growthCalm }, asked.length))
        if (role === NOBODY) continue
        if (role !== 'stranger' && role !== 'link-holder' && role !== 'removed')
          await helper.cli(['remove', device, '--json'])
        add(`until the helper is calm, ${role} gone`, await untilCalm([helper.pid]), 'ms')
      }

      add('disk, grown', ((await sizeOf(data.path)) - diskBefore) / MIB, 'MiB')
      const joinedAt = performance.now()
      const next = await startAsker(await invite(helper))
      against('join after it all', performance.now() - joinedAt, { name: 'the first join', value: firstJoinMs })
      await next.close()
      await helper.kill()
      const startedAt = performance.now()
      helper = await startHelper({ dataDir: data.path, args: ['--name', 'Helper'] })
      against('restart after it all', performance.now() - startedAt, { name: 'the first start', value: freshMs })
      return figures
    } finally {
      await asker.close()
      await helper.stop()
      await Promise.all([models.remove(), rm(data.path, { recursive: true, force: true })])
    }
  },
}

interface Asker {
  /** Asks a question; ms until its answer was whole. */
  ask(): Promise<number>
  close(): Promise<void>
}

async function startAsker(url: string): Promise<Asker> {
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
  let count = 0
  return {
    async ask() {
      const startedAt = performance.now()
      await order({ do: 'ask', text: `${String(count++)}: tell me a word`, maxTokens: MAX_TOKENS })
      return performance.now() - startedAt
    },
    close: () => gone(child),
  }
}

/** Bytes of all files below a folder. */
async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => [])
  const sizes = entries.map(async (entry) => {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return sizeOf(path)
    return (await stat(path).catch(() => undefined))?.size ?? 0
  })
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}
