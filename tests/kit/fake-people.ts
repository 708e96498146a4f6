import { asId, MeshError, type DeviceId, type InvitationId } from '../../mesh/base/index.ts'
import type {
  InvitationLine,
  KeyLine,
  LedgerCheck,
  LedgerLine,
  MeshPeople,
  PersonRole,
  PersonView,
  RemovalProgress,
} from '../../mesh/people-types.ts'

/** What a fake of people and ledger begins with. */
export interface PeopleScript {
  readonly people: readonly PersonView[]
  readonly ledger?: readonly LedgerLine[] | undefined
  readonly invitations?: readonly InvitationLine[] | undefined
  readonly keys?: readonly KeyLine[] | undefined
  readonly removals?: readonly RemovalProgress[] | undefined
  /** What `verifyLedger` finds; absent: all is well. */
  readonly faults?: readonly string[] | undefined
}

/** People and ledger that do what is asked of them, in memory. */
export interface FakePeople extends MeshPeople {
  /** Writes down that devices were removed, as a mesh does: an entry, new keys, and how far the word has got. */
  recordRemoval(devices: readonly { readonly id: DeviceId; readonly name: string }[], told: number, of: number): void
}

/** A person of a fake mesh; what is not said is that of an owner without devices. */
export function fakePerson(name: string, change: Partial<PersonView> = {}): PersonView {
  return {
    id: hexOf(`person ${name}`, 32),
    name,
    role: 'owner',
    own: false,
    devices: [],
    addedAt: Date.UTC(2026, 2, 3, 9, 0),
    removedAt: null,
    roleChangeable: false,
    removable: false,
    ...change,
  }
}

/** An entry of a fake ledger. `type` is what stands before the first dot of the key. */
export function fakeEntry(
  key: string,
  by: { readonly id: DeviceId; readonly name: string },
  at: number,
  values: Readonly<Record<string, string | number>> = {},
  change: Partial<LedgerLine> = {},
): LedgerLine {
  return {
    hash: hexOf(`${key} ${by.id} ${String(at)}`, 64),
    type: key.split('.')[0] ?? key,
    by: by.id,
    byName: by.name,
    at,
    sentence: { key, values },
    counts: true,
    ...change,
  }
}

/** An id of an invitation that looks like one, the same for the same name. */
export function fakeInvitationId(name: string): InvitationId {
  return asId<InvitationId>(hexOf(`invitation ${name}`, 32))
}

/** The people of a mesh of one, for fakes whose tests are about other things. */
export function onePerson(self: DeviceId): PeopleScript {
  return { people: [fakePerson('You', { own: true, devices: [self] })] }
}

/** Makes {@link FakePeople}; `changed` is called after each change. */
export function createFakePeople(script: PeopleScript, self: DeviceId, changed: () => void = () => {}): FakePeople {
  let { people } = script
  let ledger = script.ledger ?? []
  let invitations = script.invitations ?? []
  let keys = script.keys ?? []
  let removals = script.removals ?? []
  let now = Math.max(0, ...ledger.map((line) => line.at))

  const me = { id: self, name: 'This device' }
  const find = (id: string): PersonView => {
    const person = people.find((one) => one.id === id)
    if (person === undefined) throw new MeshError('device-unknown', 'There is no such person in this mesh.')
    return person
  }
  const write = (key: string, values: Readonly<Record<string, string | number>>): void => {
    now += 60_000
    ledger = [...ledger, fakeEntry(key, { ...me, name: nameOfSelf() }, now, values)]
  }
  const nameOfSelf = (): string => ledger.find((line) => line.by === self)?.byName ?? me.name
  const change = (id: string, part: Partial<PersonView>): void => {
    people = people.map((one) => (one.id === id ? { ...one, ...part } : one))
  }
  /** Acts resolve after the change, as those of a mesh do. */
  const act = async (work: () => void): Promise<void> => {
    await Promise.resolve()
    work()
    changed()
  }

  const recordRemoval: FakePeople['recordRemoval'] = (devices, told, of) => {
    const generation = (keys.find((line) => line.scope === 'mesh')?.generation ?? 0) + 1
    for (const { name } of devices) write('revoke.device', { name })
    write('rotate.mesh', { generation, count: of })
    keys = keys.map((line) =>
      line.scope === 'mesh' ? { ...line, generation, changedAt: now, changedBy: self, holders: of } : line,
    )
    const gone = new Set(devices.map((device) => device.id))
    people = people.map((one) => ({ ...one, devices: one.devices.filter((id) => !gone.has(id)) }))
    const progress = devices.map(({ id, name }) => ({
      ...{ device: id, name, removedAt: now, removedBy: self, generation, told, of },
    }))
    removals = [...progress, ...removals]
    changed()
  }

  return {
    recordRemoval,
    people: () => people,
    ledger: () => ledger,
    invitations: () => invitations,
    keys: () => keys,
    removals: () => removals,
    setRole: (person: string, role: PersonRole) =>
      act(() => {
        const before = find(person)
        const owners = people.filter((one) => one.role === 'owner')
        if (before.role === 'owner' && owners.length === 1)
          throw new MeshError('conflict', 'A mesh keeps at least one owner.')
        change(person, { role })
        write('role', { person: before.name, role })
      }),
    renamePerson: (person, name) =>
      act(() => {
        find(person)
        change(person, { name })
        write('rename.person', { name })
      }),
    removePerson: (person) =>
      act(() => {
        const { name } = find(person)
        people = people.filter((one) => one.id !== person)
        write('revoke.person', { person: name })
      }),
    verifyLedger: async (): Promise<LedgerCheck> => {
      await Promise.resolve()
      return {
        entries: ledger.length,
        signatures: ledger.length * 2,
        checkedAt: Date.now(),
        faults: script.faults ?? [],
      }
    },
    revokeInvitation: (id) =>
      act(() => {
        if (!invitations.some((line) => line.id === id))
          throw new MeshError('invitation-unknown', 'There is no such invitation.')
        invitations = invitations.map((line) =>
          line.id === id ? { ...line, state: 'revoked', revocable: false } : line,
        )
        write('invite-revoked', {})
      }),
  }
}

/** Hex digits that look like a hash, the same for the same text. */
function hexOf(text: string, length: number): string {
  let hash = 0x811c9dc5
  let digits = ''
  while (digits.length < length) {
    for (const character of text) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193) >>> 0
    digits += hash.toString(16).padStart(8, '0')
  }
  return digits.slice(0, length)
}
