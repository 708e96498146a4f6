import { fork, type ChildProcess } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { constants, setPriority } from 'node:os'
import process from 'node:process'
import { MeshError } from '../../mesh/base/index.ts'
import { ADVERSARY_ROLES, type AdversaryRole } from '../kit/adversary/index.ts'
import type { HelperProcess } from '../kit/helper-process.ts'
import type { AttackCommand, AttackNews } from './attacker.ts'

// What the benchmarks of attacks share: an attacker in a process of its own, and what
// the system tells of the processes that are attacked.

/** How long the attacker of each role goes on. */
export const ATTACK_MS = Number(process.env['PLEXUS_ATTACK_SECONDS'] ?? '60') * 1_000
/** What stands in the place of a role while nobody attacks. */
export const NOBODY = 'nobody'
/** The roles; only some for a shorter run: `PLEXUS_ATTACK_ROLES=guest,stranger`. */
export const ATTACK_ROLES = ADVERSARY_ROLES.filter(
  (role) => process.env['PLEXUS_ATTACK_ROLES']?.split(',').includes(role) ?? true,
)
export const MIB = 1024 * 1024
/** Ticks of the processor a second, as Linux counts them in /proc. */
const TICKS_PER_SECOND = 100
/** A processor that is busy for less than this is calm. */
const CALM_FRACTION = 0.1

export const sleep = (durationMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, durationMs))

/** A link by the helper's own command. */
export async function invite(helper: HelperProcess, ...args: string[]): Promise<string> {
  const { json, stderr } = await helper.cli(['invite', ...args, '--json'])
  const url = (json as { url?: string } | undefined)?.url
  if (url === undefined) throw new MeshError('bug', `The helper makes no link: ${stderr}`)
  return url
}

/** Ends a process that listens to its parent. */
export async function gone(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = new Promise((resolve) => child.once('exit', resolve))
  if (child.connected) child.disconnect()
  await exited
}

/** An attacker that is at it. */
export interface Attack {
  isOver(): boolean
  readonly result: Promise<{ readonly rounds: number; readonly ended: number; readonly device: string }>
}

/** Where the helper itself is reached. */
export const addressesOf = ({ ports }: HelperProcess): readonly string[] => [
  `/ip4/127.0.0.1/tcp/${String(ports.tcp)}/p2p/${ports.peerId}`,
]

/** Lets an attacker in at a role, or not, and sends it to these addresses. */
export async function startAttack(
  role: AdversaryRole,
  helper: HelperProcess,
  addresses: readonly string[] = addressesOf(helper),
): Promise<Attack> {
  const wanted = role === 'removed' || role === 'link-holder' ? 'member' : role
  const link = role === 'stranger' ? '' : await invite(helper, '--person', `Mallory ${role}`, '--role', wanted)
  const child = fork(new URL('./attacker.js', import.meta.url), { stdio: 'inherit' })
  // it would be on another machine: what it computes itself is not what it costs others
  if (child.pid !== undefined) setPriority(child.pid, constants.priority.PRIORITY_LOW)
  const over = Promise.withResolvers<{ rounds: number; ended: number; device: string }>()
  const begun = Promise.withResolvers<undefined>()
  let isOver = false
  let device = ''
  const hear = async (news: AttackNews): Promise<void> => {
    if (news.is === 'failed') throw new MeshError('bug', `The attacker failed: ${news.reason}`)
    if (news.is === 'over') over.resolve({ ...news, device })
    else {
      ;({ device } = news)
      if (!news.wantsRemoval) begun.resolve(undefined)
      else {
        await helper.cli(['remove', device, '--json'])
        child.send('removed')
      }
    }
  }
  child.on('message', (news: AttackNews) => {
    hear(news).catch((error: unknown) => {
      over.reject(error)
      begun.reject(error)
    })
  })
  child.once('exit', () => {
    const reason = new MeshError('bug', 'The attacker ended by itself.')
    over.reject(reason)
    begun.reject(reason)
  })
  const finished = (): void => {
    isOver = true
  }
  over.promise.then(finished, finished)
  const ended = async (): Promise<Awaited<typeof over.promise>> => {
    try {
      return await over.promise
    } finally {
      await gone(child)
    }
  }
  const result = ended()
  const command: AttackCommand = {
    role,
    link,
    door: addressesOf(helper),
    addresses,
    durationMs: ATTACK_MS,
  }
  child.send(command)
  await begun.promise
  return { isOver: () => isOver, result }
}

/** As long as an attack, in which nobody does anything: what the honest ones cost by themselves. */
export function startCalm(): Attack {
  let isOver = false
  const result = sleep(ATTACK_MS).then(() => {
    isOver = true
    return { rounds: 0, ended: 0, device: '' }
  })
  return { isOver: () => isOver, result }
}

/** Bytes of memory that a process holds. */
export async function memoryOf(pid: number): Promise<number> {
  const text = await readFile(`/proc/${String(pid)}/status`, 'utf8').catch(() => '')
  return Number(/^VmRSS:\s+(\d+)/m.exec(text)?.[1] ?? Number.NaN) * 1024
}

/** For how many ms a process was busy since its start. */
export async function busyMs(pid: number): Promise<number> {
  const text = await readFile(`/proc/${String(pid)}/stat`, 'utf8').catch(() => '')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1_000
}

/** How long until these processes do next to nothing for half a second; at most 30 s. */
export async function untilCalm(pids: readonly number[]): Promise<number> {
  const startedAt = performance.now()
  for (let before = await busyOf(pids); performance.now() - startedAt < 30_000;) {
    await sleep(500)
    const now = await busyOf(pids)
    if (!(now - before > 500 * CALM_FRACTION)) break
    before = now
  }
  return performance.now() - startedAt
}

/** For how many ms these processes were busy, together. */
export async function busyOf(pids: readonly number[]): Promise<number> {
  return (await Promise.all(pids.map(busyMs))).reduce((sum, each) => sum + each, 0)
}
