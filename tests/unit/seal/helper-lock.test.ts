import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createPassphrases, openData, readPassphrase, type Passphrases } from '../../../helper/lock/index.ts'
import { openVault } from '../../../mesh/seal/index.ts'
import { createVaultDisk, startVaultProcess, type VaultDisk } from '../../kit/vault.ts'

const PASSPHRASE = 'a heron in the rain'
const { signal } = new AbortController()
let root = ''

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'plexus-lock-'))
})
afterAll(async () => {
  await rm(root, { recursive: true, force: true })
})

const lockedDisk = async (): Promise<VaultDisk> => {
  const disk = createVaultDisk()
  const vault = await openVault(startVaultProcess(disk).ports)
  if (vault.state === 'open') await vault.setPassphrase(PASSPHRASE)
  return disk
}
const openWith = (disk: VaultDisk, passphrases: Passphrases): ReturnType<typeof openData> =>
  openData({ ...startVaultProcess(disk).ports, passphrases }, { signal })

/** Somebody at a terminal who types these, one at a time. */
function typing(...texts: (string | undefined)[]): { ask: () => Promise<string | undefined>; left: () => number } {
  return { ask: () => Promise.resolve(texts.shift()), left: () => texts.length }
}

describe('the data of a helper', () => {
  test('without a lock opens and asks nobody', async () => {
    const person = typing('never')
    await openWith(createVaultDisk(), createPassphrases({ file: undefined, ask: person.ask }))
    expect(person.left()).toBe(1)
  })

  test('with a lock says what to do where nobody is there to ask', async () => {
    const opening = openWith(await lockedDisk(), createPassphrases({ file: undefined, ask: undefined }))
    await expect(opening).rejects.toMatchObject({ code: 'locked', message: expect.stringContaining('PASSPHRASE_FILE') })
  })

  test('lets who sits at the terminal mistype twice, and asks no more at a start in place', async () => {
    const disk = await lockedDisk()
    const person = typing('wrong', 'wrong too', PASSPHRASE, 'never')
    const passphrases = createPassphrases({ file: undefined, ask: person.ask })
    await openWith(disk, passphrases)
    await openWith(disk, passphrases)
    expect(person.left()).toBe(1)
    const stubborn = typing('1', '2', '3', PASSPHRASE)
    const opening = openWith(disk, createPassphrases({ file: undefined, ask: stubborn.ask }))
    await expect(opening).rejects.toMatchObject({ code: 'passphrase-wrong' })
    expect(stubborn.left()).toBe(1)
  })

  test('opens with a file that holds the passphrase, and asks nobody when it is the wrong one', async () => {
    const [right, wrong] = [join(root, 'right'), join(root, 'wrong')]
    await writeFile(right, `${PASSPHRASE}\n`)
    await writeFile(wrong, `${PASSPHRASE} \n`)
    const disk = await lockedDisk()
    const person = typing(PASSPHRASE)
    await openWith(disk, createPassphrases({ file: right, ask: person.ask }))
    const opening = openWith(disk, createPassphrases({ file: wrong, ask: person.ask }))
    await expect(opening).rejects.toMatchObject({ code: 'passphrase-wrong' })
    expect(person.left()).toBe(1)
  })
})

test('a passphrase file gives its text without the last line break, and says what is wrong with it', async () => {
  const file = join(root, 'file')
  for (const [content, passphrase] of [
    ['two words\r\n', 'two words'],
    ['two words\n\n', 'two words\n'],
    ['  spaces  ', '  spaces  '],
  ] as const) {
    await writeFile(file, content)
    expect(await readPassphrase(file)).toBe(passphrase)
  }
  for (const content of ['', '\n', 'x'.repeat(10_000)]) {
    await writeFile(file, content)
    await expect(readPassphrase(file)).rejects.toMatchObject({ code: 'config-invalid', detail: { path: file } })
  }
  await expect(readPassphrase(join(root, 'none'))).rejects.toMatchObject({ code: 'config-invalid' })
  await expect(readPassphrase(root)).rejects.toMatchObject({ code: 'config-invalid' })
})
