import { describe, expect, test } from 'vitest'
import { createVirtualClock } from '../../tests/kit/clock.ts'
import { createVaultDisk, startVaultProcess, type VaultDisk } from '../../tests/kit/vault.ts'
import { MeshError, type Store } from '../base/index.ts'
import { openVault, type LockedVault, type OpenVault } from './index.ts'

const text = (value: string): Uint8Array => new TextEncoder().encode(value)
const prf = (value: number): Uint8Array => new Uint8Array(32).fill(value)
const PASSPHRASE = 'a heron in the rain'

const open = async (disk: VaultDisk): Promise<OpenVault> => {
  const vault = await openVault(startVaultProcess(disk).ports)
  if (vault.state !== 'open') throw new MeshError('locked', 'It is locked.')
  return vault
}
const locked = async (disk: VaultDisk, clock = createVirtualClock()): Promise<LockedVault> => {
  const vault = await openVault(startVaultProcess(disk, { clock }).ports)
  if (vault.state !== 'locked') throw new MeshError('bug', 'It is open.')
  return vault
}

/** Everything on the disk that somebody who took it can read. */
const disk16 = (disk: VaultDisk): string =>
  [...disk.data.records.values(), ...[...disk.data.logs.values()].flat().map((entry) => entry.bytes)]
    .map((bytes) => Buffer.from(bytes).toString('hex'))
    .join(' ')

async function fill(store: Store): Promise<void> {
  await store.put('identity/key', text('the secret key of the device'))
  await store.put('chats/chat/a', text('Holidays'))
  await store.put('chats/chat/b', text('Taxes'))
  await store.append('chats/log/a', [text('first words'), text('second words')])
  await store.append('chats/log/b', [text('third words')])
  // of a chat whose record is gone
  await store.append('chats/log/orphan', [text('fourth words')])
}

async function expectFilled(store: Store): Promise<void> {
  expect(await store.get('identity/key')).toEqual(text('the secret key of the device'))
  expect((await store.list('')).map(({ key }) => key)).toEqual(['chats/chat/a', 'chats/chat/b', 'identity/key'])
  const logs = ['chats/log/a', 'chats/log/b', 'chats/log/orphan']
  const read = await Promise.all(logs.map((log) => store.readLog(log, 0)))
  expect(read.flat().map(({ sequence, bytes }) => [sequence, new TextDecoder().decode(bytes)])).toEqual([
    [1, 'first words'],
    [2, 'second words'],
    [1, 'third words'],
    [1, 'fourth words'],
  ])
}

describe('a vault', () => {
  test('opens by itself with the key of its device, and keeps what is put into it', async () => {
    const disk = createVaultDisk()
    await fill((await open(disk)).store)
    const again = await open(disk)
    await expectFilled(again.store)
    expect(await again.locks()).toEqual([])
  })

  test('is never begun anew over data that is there: a lost key or record of locks is said', async () => {
    const withoutKey = createVaultDisk()
    await fill((await open(withoutKey)).store)
    withoutKey.deviceKey = undefined
    await expect(open(withoutKey)).rejects.toMatchObject({ code: 'storage-corrupt' })
    withoutKey.deviceKey = prf(9)
    await expect(open(withoutKey)).rejects.toMatchObject({ code: 'storage-corrupt' })

    const withoutRecord = createVaultDisk()
    await fill((await open(withoutRecord)).store)
    for (const name of ['vault/slots', 'vault/slots-second']) withoutRecord.data.records.delete(name)
    await expect(open(withoutRecord)).rejects.toMatchObject({ code: 'storage-corrupt' })
  })

  test('with a passphrase opens with it alone: nothing on the disk does', async () => {
    const disk = createVaultDisk()
    const vault = await open(disk)
    await fill(vault.store)
    await vault.setPassphrase(PASSPHRASE)
    expect(disk.deviceKey).toBeUndefined()
    expect(disk16(disk)).not.toContain(Buffer.from(PASSPHRASE).toString('hex'))
    const waiting = await locked(disk)
    expect(waiting.locks).toMatchObject([{ kind: 'passphrase' }])
    await expect(waiting.unlock({ kind: 'passphrase', passphrase: 'a heron in the sun' })).rejects.toMatchObject({
      code: 'passphrase-wrong',
    })
    const opened = await waiting.unlock({ kind: 'passphrase', passphrase: PASSPHRASE })
    await expectFilled(opened.store)
  })

  test('outlasts a wrong bit in the record of its locks: the right passphrase is not called wrong', async () => {
    const disk = createVaultDisk()
    const vault = await open(disk)
    await fill(vault.store)
    await vault.setPassphrase(PASSPHRASE)
    const whole = disk.data.records.get('vault/slots') ?? new Uint8Array()
    for (const name of ['vault/slots', 'vault/slots-second']) {
      for (const at of [3, whole.length >> 1, whole.length - 60]) {
        const wrong = whole.slice()
        wrong[at] = (wrong[at] ?? 0) ^ 1
        disk.data.records.set(name, wrong)
        const waiting = await locked(disk)
        await expectFilled((await waiting.unlock({ kind: 'passphrase', passphrase: PASSPHRASE })).store)
        expect([...disk.data.records].filter(([, value]) => Buffer.from(value).equals(whole))).toHaveLength(2)
      }
    }
  })

  test('opens by no lock that was taken away, also when its record was written once and not twice', async () => {
    const disk = createVaultDisk()
    const vault = await open(disk)
    const before = disk.data.records.get('vault/slots-second')
    await vault.setPassphrase(PASSPHRASE)
    // killed between the two
    disk.data.records.set('vault/slots-second', before ?? new Uint8Array())
    await locked(disk)
    expect(disk.data.records.get('vault/slots-second')).toEqual(disk.data.records.get('vault/slots'))
  })

  test('takes a passphrase however the keyboard wrote its letters', async () => {
    const disk = createVaultDisk()
    await (await open(disk)).setPassphrase('caf\u00e9 in the rain')
    await (await locked(disk)).unlock({ kind: 'passphrase', passphrase: 'cafe\u0301 in the rain' })
  })

  test('changes its passphrase: the old one opens nothing any more', async () => {
    const disk = createVaultDisk()
    const vault = await open(disk)
    await vault.setPassphrase(PASSPHRASE)
    await vault.setPassphrase('another heron, in the sun')
    const waiting = await locked(disk)
    await expect(waiting.unlock({ kind: 'passphrase', passphrase: PASSPHRASE })).rejects.toMatchObject({
      code: 'passphrase-wrong',
    })
    await waiting.unlock({ kind: 'passphrase', passphrase: 'another heron, in the sun' })
  })

  test('opens with any of its passkeys, each for its own slot', async () => {
    const disk = createVaultDisk()
    const vault = await open(disk)
    await fill(vault.store)
    const passkey = (name: string, value: number): Parameters<OpenVault['addPasskey']>[0] => ({
      name,
      credential: text(name),
      salt: prf(value + 100),
      prf: prf(value),
    })
    await vault.addPasskey(passkey('phone', 1))
    await vault.addPasskey(passkey('key', 2))
    const waiting = await locked(disk)
    const [phone, key] = waiting.locks
    expect(phone).toMatchObject({
      kind: 'passkey',
      name: 'phone',
      passkey: { credential: text('phone'), salt: prf(101) },
    })
    await expectFilled((await waiting.unlock({ kind: 'passkey', slot: key?.id ?? '', prf: prf(2) })).store)
    await expect(waiting.unlock({ kind: 'passkey', slot: key?.id ?? '', prf: prf(1) })).rejects.toMatchObject({
      code: 'passphrase-wrong',
    })
    await expect(waiting.unlock({ kind: 'passkey', slot: '', prf: prf(1) })).rejects.toMatchObject({
      code: 'passphrase-wrong',
    })
    await expect(vault.addPasskey({ ...passkey('odd', 3), prf: new Uint8Array(16) })).rejects.toMatchObject({
      code: 'unsupported',
    })
  })

  test('never has no way to open it: with the last lock gone, the device opens it again', async () => {
    const disk = createVaultDisk()
    const vault = await open(disk)
    await fill(vault.store)
    await vault.setPassphrase(PASSPHRASE)
    const [lock] = await vault.locks()
    await vault.removeLock(lock?.id ?? '')
    await expectFilled((await open(disk)).store)
    await vault.removeLocks()
    await vault.removeLock('unknown')
    await expectFilled((await open(disk)).store)
  })

  test('takes no passphrase that is short, and no more locks than it can hold', async () => {
    const vault = await open(createVaultDisk())
    await expect(vault.setPassphrase('1234567')).rejects.toMatchObject({ code: 'usage' })
    await expect(vault.setPassphrase('x'.repeat(1_025))).rejects.toMatchObject({ code: 'usage' })
    const add = (value: number): Promise<void> =>
      vault.addPasskey({ name: 'x', credential: text('x'), salt: prf(value), prf: prf(value) })
    for (let count = 0; count < 8; count++) await add(count)
    await expect(add(9)).rejects.toMatchObject({ code: 'conflict' })
    expect(await vault.locks()).toHaveLength(8)
  })

  test('makes wrong tries wait, longer each time, also for who closes it between', async () => {
    const disk = createVaultDisk()
    const clock = createVirtualClock()
    await (await open(disk)).setPassphrase(PASSPHRASE)
    const wrong = { kind: 'passphrase', passphrase: 'not this one' } as const
    const waits: number[] = []
    for (let tries = 0; tries < 10; tries++) {
      await expect((await locked(disk, clock)).unlock(wrong)).rejects.toMatchObject({ code: 'passphrase-wrong' })
      const waitMs = await (await locked(disk, clock)).waitMs()
      waits.push(waitMs)
      if (waitMs === 0) continue
      const right = (await locked(disk, clock)).unlock({ kind: 'passphrase', passphrase: PASSPHRASE })
      await expect(right).rejects.toMatchObject({ code: 'locked', detail: { waitMs } })
      clock.advance(waitMs)
    }
    expect(waits).toEqual([0, 0, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000])
    const opened = await (await locked(disk, clock)).unlock({ kind: 'passphrase', passphrase: PASSPHRASE })
    expect(opened.state).toBe('open')
    expect(await (await locked(disk, clock)).waitMs()).toBe(0)
  })
})

describe('killed at any write', () => {
  test('the sealing of an earlier version’s store loses nothing, and afterwards nothing is left in the clear', async () => {
    const unsealed = async (): Promise<VaultDisk> => {
      const disk = createVaultDisk()
      await fill(startVaultProcess(disk).inner)
      return disk
    }
    const whole = startVaultProcess(await unsealed())
    await openVault(whole.ports)
    expect(whole.writes()).toBeGreaterThan(12)
    for (let killAt = 1; killAt <= whole.writes(); killAt++) {
      const disk = await unsealed()
      // the last write is the second place of a record of which the first counts
      const opening = openVault(startVaultProcess(disk, { killAt }).ports)
      if (killAt < whole.writes()) await expect(opening).rejects.toMatchObject({ code: 'storage-failed' })
      else await opening
      // and killed once more on the way
      await openVault(startVaultProcess(disk, { killAt: Math.ceil(killAt / 2) }).ports).catch(() => undefined)
      const vault = await open(disk)
      await expectFilled(vault.store)
      for (const name of [...disk.data.records.keys(), ...disk.data.logs.keys()])
        expect(name).toMatch(/^(sealed|vault)\//)
      for (const secret of ['secret key', 'words', 'Taxes']) {
        expect(disk16(disk)).not.toContain(Buffer.from(secret).toString('hex'))
      }
    }
  })

  test('a change of the locks leaves a way to open it, and all data there', async () => {
    for (const [name, before, change] of CHANGES) {
      const prepared = createVaultDisk()
      const first = await open(prepared)
      await fill(first.store)
      await before(first)
      for (let killAt = 1, isDone = false; !isDone; killAt++) {
        const disk = copyOf(prepared)
        // the process that dies has it open already: only the change itself is cut
        const opening = startVaultProcess(disk)
        await unlockAny(disk, opening)
        const vault = await unlockAny(disk, startVaultProcess(disk, { killAt: opening.writes() + killAt }))
        isDone = await change(vault).then(
          () => true,
          () => false,
        )
        const after = await unlockAny(disk)
        await expectFilled(after.store)
        const locks = await after.locks()
        // where there is a lock, the key of the device is gone; where there is none, it is there
        expect(disk.deviceKey === undefined, `${name}, killed at ${String(killAt)}`).toBe(locks.length > 0)
        // and what was taken away is in the files no more
        expect(disk.data.records.has('vault/untidy'), `${name}, killed at ${String(killAt)}`).toBe(false)
      }
    }
  }, 120_000)
})

const nothing = (): Promise<void> => Promise.resolve()
const setPassphrase = (vault: OpenVault): Promise<void> => vault.setPassphrase(PASSPHRASE)
const addPasskey = (vault: OpenVault): Promise<void> =>
  vault.addPasskey({ name: 'p', credential: text('p'), salt: prf(5), prf: prf(6) })
const removeLocks = (vault: OpenVault): Promise<void> => vault.removeLocks()
type Change = (vault: OpenVault) => Promise<void>
const CHANGES: readonly [name: string, before: Change, change: Change][] = [
  ['set a passphrase', nothing, setPassphrase],
  ['add a passkey', nothing, addPasskey],
  ['change the passphrase', setPassphrase, setPassphrase],
  ['add a passkey to a passphrase', setPassphrase, addPasskey],
  ['remove the passphrase', setPassphrase, removeLocks],
  ['remove the passkey', addPasskey, removeLocks],
]

const copyOf = (disk: VaultDisk): VaultDisk => ({
  data: { records: new Map(disk.data.records), logs: new Map(disk.data.logs) },
  deviceKey: disk.deviceKey,
})

/** Opens with whatever of the two secrets does. */
async function unlockAny(disk: VaultDisk, process = startVaultProcess(disk)): Promise<OpenVault> {
  const vault = await openVault(process.ports)
  if (vault.state === 'open') return vault
  const [lock] = vault.locks
  if (lock?.kind === 'passkey') return vault.unlock({ kind: 'passkey', slot: lock.id, prf: prf(6) })
  return vault.unlock({ kind: 'passphrase', passphrase: PASSPHRASE })
}
