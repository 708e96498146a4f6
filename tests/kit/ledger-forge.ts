import type { EntryHash, MeshId } from '../../mesh/base/index.ts'
import {
  admitByRecovery,
  invitationIdOfKey,
  invitationKey,
  inviteDraft,
  personIdOfDevice,
  recoveryDraft,
  recoveryProof,
  signEntry,
  type EntryFields,
  type LedgerEntry,
} from '../../mesh/identity/index.ts'
import { createRecoverySecret, recoveryKeys } from '../../mesh/seal/index.ts'
import { createSeededRandom } from './random.ts'
import { admitted, createTestDevice, invited, type TestDevice, type TestMember } from './ledger.ts'

/** Writes entries of a device with software of its own: any fields, linking whatever it likes. */
export interface Forge {
  readonly entries: LedgerEntry[]
  write(by: TestDevice, fields: EntryFields, parents: readonly EntryHash[]): Promise<LedgerEntry>
}

/** A shape of history that one author can make, named by what it would cost. */
export interface HostileShape {
  readonly name: string
  /** At most `count` entries by the attacker, on top of what it has seen. */
  make(attacker: TestMember, count: number): Promise<readonly LedgerEntry[]>
}

const random = createSeededRandom('hostile shapes')

function forgeOf(mesh: MeshId): Forge {
  const entries: LedgerEntry[] = []
  return {
    entries,
    async write(by, fields, parents) {
      // another moment each: the same said at the same place would be the same entry
      const at = by.clock.now() + entries.length
      const entry = await signEntry(by.key, fields, { parents, at, mesh })
      entries.push(entry)
      return entry
    },
  }
}

function named(attacker: TestMember, name: string): EntryFields {
  return { type: 'rename', device: attacker.id, name }
}

/** An invitation for a further device, and the entry that lets one in by it. */
async function invitation(attacker: TestMember, forge: Forge, parents: readonly EntryHash[]) {
  const secret = random.bytes(16)
  const draft = inviteDraft(secret, attacker.id, {
    person: attacker.person(),
    role: 'member',
    confirmation: 'in-advance',
    now: attacker.clock.now(),
    lifetimeMs: 600_000,
  })
  const invite = await forge.write(attacker, draft, parents)
  const key = invitationKey(secret)
  const terms = { by: 'link', inviter: attacker.id, person: '', role: 'member', confirmation: 'in-advance' } as const
  const admit = (device: TestDevice): Promise<EntryFields> =>
    invited(attacker.ledger.mesh, secret, device, { person: attacker.person(), terms })
  return { invite, id: invitationIdOfKey(key.publicKey), admit }
}

/** The shapes that are known to cost most, each as its own line. */
export const HOSTILE_SHAPES: readonly HostileShape[] = [
  {
    name: 'invitations taken back and used at once, merged one by one',
    async make(attacker, count) {
      const forge = forgeOf(attacker.ledger.mesh)
      let heads = attacker.ledger.heads()
      while (forge.entries.length + 4 <= count) {
        const { invite, id, admit } = await invitation(attacker, forge, heads)
        const device = await createTestDevice(random, 'x')
        const back = await forge.write(attacker, { type: 'invite-revoked', id }, [invite.hash])
        const use = await forge.write(attacker, await admit(device), [invite.hash])
        const merge = await forge.write(attacker, named(attacker, 'm'), [back.hash, use.hash])
        heads = [merge.hash]
      }
      return forge.entries
    },
  },
  {
    name: 'the same from one root, merged in a chain the other way round',
    async make(attacker, count) {
      const forge = forgeOf(attacker.ledger.mesh)
      const root = attacker.ledger.heads()
      const pairs: EntryHash[][] = []
      while (forge.entries.length + 4 <= count - pairs.length) {
        const { invite, id, admit } = await invitation(attacker, forge, root)
        const device = await createTestDevice(random, 'x')
        const back = await forge.write(attacker, { type: 'invite-revoked', id }, [invite.hash])
        const use = await forge.write(attacker, await admit(device), [invite.hash])
        pairs.push([back.hash, use.hash])
      }
      let last: readonly EntryHash[] = []
      for (const pair of pairs.toReversed())
        last = [(await forge.write(attacker, named(attacker, 'm'), [...last, ...pair])).hash]
      return forge.entries
    },
  },
  {
    name: 'a device of one’s own removed, its entries merged one by one',
    async make(attacker, count) {
      const forge = forgeOf(attacker.ledger.mesh)
      const ghost = await createTestDevice(random, 'ghost')
      const root = await forge.write(attacker, await admitted(attacker, ghost), attacker.ledger.heads())
      const removal = await forge.write(attacker, { type: 'revoke', device: ghost.id }, [root.hash])
      let last = removal.hash
      while (forge.entries.length + 2 <= count) {
        const said = await forge.write(ghost, { type: 'rename', device: ghost.id, name: 'boo' }, [root.hash])
        last = (await forge.write(attacker, named(attacker, 'm'), [last, said.hash])).hash
      }
      return forge.entries
    },
  },
  {
    name: 'the same with decisions of the removed device',
    async make(attacker, count) {
      const forge = forgeOf(attacker.ledger.mesh)
      const ghost = await createTestDevice(random, 'ghost')
      const root = await forge.write(attacker, await admitted(attacker, ghost), attacker.ledger.heads())
      const removal = await forge.write(attacker, { type: 'revoke', device: ghost.id }, [root.hash])
      let last = removal.hash
      while (forge.entries.length + 2 <= count) {
        const said = await forge.write(ghost, { type: 'recovery', person: attacker.person(), keys: null }, [root.hash])
        last = (await forge.write(attacker, named(attacker, 'm'), [last, said.hash])).hash
      }
      return forge.entries
    },
  },
  {
    name: 'one invitation used by many devices at once, merged one by one',
    async make(attacker, count) {
      const forge = forgeOf(attacker.ledger.mesh)
      const { invite, admit } = await invitation(attacker, forge, attacker.ledger.heads())
      let last: EntryHash[] = []
      while (forge.entries.length + 2 <= count) {
        const device = await createTestDevice(random, 'x')
        const use = await forge.write(attacker, await admit(device), [invite.hash])
        last = [(await forge.write(attacker, named(attacker, 'm'), [...last, use.hash])).hash]
      }
      return forge.entries
    },
  },
  {
    name: 'removals of one device on many branches, and what it did, merged one by one',
    async make(attacker, count) {
      const forge = forgeOf(attacker.ledger.mesh)
      const ghost = await createTestDevice(random, 'ghost')
      const root = await forge.write(attacker, await admitted(attacker, ghost), attacker.ledger.heads())
      let last = root.hash
      while (forge.entries.length + 3 <= count) {
        const removal = await forge.write(attacker, { type: 'revoke', device: ghost.id }, [root.hash])
        const said = await forge.write(ghost, { type: 'recovery', person: attacker.person(), keys: null }, [root.hash])
        last = (await forge.write(attacker, named(attacker, 'm'), [last, removal.hash, said.hash])).hash
      }
      return forge.entries
    },
  },
  {
    name: 'a fan of a thousand branches that nobody merges',
    async make(attacker, count) {
      const forge = forgeOf(attacker.ledger.mesh)
      const ghost = await createTestDevice(random, 'ghost')
      const root = await forge.write(attacker, await admitted(attacker, ghost), attacker.ledger.heads())
      while (forge.entries.length + 2 <= count) {
        await forge.write(attacker, { type: 'revoke', device: ghost.id }, [root.hash])
        await forge.write(ghost, { type: 'recovery', person: attacker.person(), keys: null }, [root.hash])
      }
      return forge.entries
    },
  },
  {
    name: 'a room with changes on many branches, merged one by one',
    async make(attacker, count) {
      const forge = forgeOf(attacker.ledger.mesh)
      const person = attacker.person()
      const made = await forge.write(
        attacker,
        { type: 'room', people: [person], history: 'all' },
        attacker.ledger.heads(),
      )
      const room = made.hash.slice(0, 32) as never
      let last = made.hash
      while (forge.entries.length + 3 <= count) {
        const add = await forge.write(attacker, { type: 'room-people', room, add: [person], remove: [] }, [made.hash])
        const out = await forge.write(attacker, { type: 'room-people', room, add: [], remove: [person] }, [made.hash])
        last = (await forge.write(attacker, named(attacker, 'm'), [last, add.hash, out.hash])).hash
      }
      return forge.entries
    },
  },
  {
    name: 'words shown on many branches, removals by and of who showed them, merged one by one',
    async make(attacker, count) {
      const forge = forgeOf(attacker.ledger.mesh)
      const { mesh } = attacker.ledger
      const person = attacker.person()
      const helper = await createTestDevice(random, 'helper')
      const admitted = await forge.write(
        attacker,
        { type: 'admit', certificate: helper.certificate, person },
        attacker.ledger.heads(),
      )
      const words = recoveryKeys(createRecoverySecret(random))
      const published = await forge.write(attacker, recoveryDraft(words, mesh, person), [admitted.hash])
      const back = await createTestDevice(random, 'back')
      const came = await forge.write(
        back,
        admitByRecovery(
          { person, sign: words.sign.publicKey },
          recoveryProof(words, mesh, back.certificate),
          back.certificate,
        ),
        [published.hash],
      )
      let last = came.hash
      while (forge.entries.length + 4 <= count) {
        const removal = await forge.write(back, { type: 'revoke', device: attacker.id }, [came.hash])
        const against = await forge.write(attacker, { type: 'revoke', device: back.id }, [came.hash])
        const voice = await forge.write(helper, named({ ...attacker, id: helper.id }, 'v'), [
          removal.hash,
          against.hash,
        ])
        last = (await forge.write(helper, named({ ...attacker, id: helper.id }, 'm'), [last, voice.hash])).hash
      }
      return forge.entries
    },
  },
]

/** A device written down without being asked, and as a new person's by its own word; only an owner can do the latter. */
async function claimAndWord(
  attacker: TestMember,
  device: TestDevice,
): Promise<{ claim: EntryFields; word: EntryFields }> {
  const word = await admitted(attacker, device)
  return {
    claim: { type: 'admit', certificate: device.certificate, person: attacker.person() },
    word: { ...word, person: personIdOfDevice(device.id), newPerson: { name: 'x', role: 'member' } },
  }
}

/** What an owner can do where devices may be written down without their word: in a mesh that began earlier. */
export const CLAIMING_SHAPES: readonly HostileShape[] = [
  {
    name: 'devices claimed, and let in by their own word after that, one by one',
    async make(attacker, count) {
      const forge = forgeOf(attacker.ledger.mesh)
      let heads = attacker.ledger.heads()
      while (forge.entries.length + 2 <= count) {
        const { claim, word } = await claimAndWord(attacker, await createTestDevice(random, 'x'))
        const claimed = await forge.write(attacker, claim, heads)
        heads = [(await forge.write(attacker, word, [claimed.hash])).hash]
      }
      return forge.entries
    },
  },
  {
    name: 'the same on branches, merged one by one',
    async make(attacker, count) {
      const forge = forgeOf(attacker.ledger.mesh)
      const root = attacker.ledger.heads()
      let last: EntryHash[] = []
      while (forge.entries.length + 3 <= count) {
        const { claim, word } = await claimAndWord(attacker, await createTestDevice(random, 'x'))
        const claimed = await forge.write(attacker, claim, root)
        const said = await forge.write(attacker, word, [claimed.hash])
        last = [(await forge.write(attacker, named(attacker, 'm'), [...last, said.hash])).hash]
      }
      return forge.entries
    },
  },
  {
    name: 'one device claimed and let in on many branches, merged one by one',
    async make(attacker, count) {
      const forge = forgeOf(attacker.ledger.mesh)
      const root = attacker.ledger.heads()
      const { claim, word } = await claimAndWord(attacker, await createTestDevice(random, 'x'))
      let last: EntryHash[] = []
      while (forge.entries.length + 3 <= count) {
        const claimed = await forge.write(attacker, claim, root)
        const said = await forge.write(attacker, word, forge.entries.length % 2 === 0 ? root : [claimed.hash])
        last = [(await forge.write(attacker, named(attacker, 'm'), [...last, claimed.hash, said.hash])).hash]
      }
      return forge.entries
    },
  },
  {
    name: 'one device claimed on many branches, and removed on each, which its word has seen and is gone on from',
    async make(attacker, count) {
      const forge = forgeOf(attacker.ledger.mesh)
      const root = attacker.ledger.heads()
      const device = await createTestDevice(random, 'x')
      const { claim, word } = await claimAndWord(attacker, device)
      let last: EntryHash[] = []
      while (forge.entries.length + 5 <= count) {
        const claimed = await forge.write(attacker, claim, root)
        const gone = await forge.write(attacker, { type: 'revoke', device: device.id }, [claimed.hash])
        last = [(await forge.write(attacker, named(attacker, 'm'), [...last, gone.hash])).hash]
        const said = await forge.write(attacker, word, last)
        await forge.write(attacker, named(attacker, 'on'), [said.hash])
      }
      return forge.entries
    },
  },
]
